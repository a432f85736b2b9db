/* Copies ids with one press; everything works without it. Holds no text. */
(function () {
  'use strict';

  var told = document.getElementById('told');
  var buttons = document.querySelectorAll('.copy');
  var i;

  for (i = 0; i < buttons.length; i += 1) { buttons[i].removeAttribute('hidden'); }

  function select(element) {
    var range = document.createRange();
    var selection = window.getSelection();
    range.selectNodeContents(element);
    selection.removeAllRanges();
    selection.addRange(range);
  }
  function done(button) {
    button.setAttribute('data-copied', '');
    told.textContent = button.getAttribute('data-done');
    setTimeout(function () {
      button.removeAttribute('data-copied');
      told.textContent = '';
    }, 2000);
  }
  /* Without https browsers have no clipboard to write to: then the selection is copied. */
  function copy(button) {
    var text = button.getAttribute('data-copy');
    if (navigator.clipboard && window.isSecureContext) {
      navigator.clipboard.writeText(text).then(function () { done(button); }, function () { select(button.previousSibling); });
      return;
    }
    select(button.previousSibling);
    if (document.execCommand('copy')) { done(button); }
  }

  document.addEventListener('click', function (event) {
    var list = document.querySelector('.tongue[open]');
    var target = event.target;
    if (list && !list.contains(target)) { list.removeAttribute('open'); }
    while (target && target !== document.body) {
      if (target.hasAttribute && target.hasAttribute('data-copy')) { copy(target); return; }
      target = target.parentNode;
    }
  });
  document.addEventListener('keydown', function (event) {
    var list = document.querySelector('.tongue[open]');
    if (list && event.key === 'Escape') { list.removeAttribute('open'); list.querySelector('summary').focus(); }
  });
}());
