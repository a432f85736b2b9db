/* Small comforts for the phone pages; everything works without them. Holds no text. */
(function () {
  'use strict';

  var html = document.documentElement;
  var claim = document.getElementById('claim');
  var keep = 'jay-scroll';
  var timer = null;

  html.className += ' js';

  /* --- the claim's minute ------------------------------------------------------------------------ */
  function minute() {
    var clock = claim.querySelector('[data-clock]');
    var ends = Date.now() + parseInt(claim.getAttribute('data-left'), 10) * 1000;
    function tick() {
      var left = Math.max(0, Math.ceil((ends - Date.now()) / 1000));
      clock.firstChild.nodeValue = Math.floor(left / 60) + ':' + ('0' + left % 60).slice(-2);
      if (left <= 10) { claim.setAttribute('data-soon', ''); }
      if (left > 0) {
        timer = setTimeout(tick, (ends - Date.now()) % 1000 + 10);
      } else if (!claim.querySelector('[data-sent]')) {
        claim.setAttribute('data-over', '');
      }
    }
    tick();
  }
  if (claim && !claim.hasAttribute('data-over')) { minute(); }

  /* --- each form once; counts change when typed; the page stays where it was ------------------------ */
  document.addEventListener('submit', function (event) {
    var form = event.target;
    if (form.hasAttribute('data-sent') || navigator.onLine === false) {
      event.preventDefault();
      network();
      return;
    }
    form.setAttribute('data-sent', '');
    if (form.id) { document.body.className = 'waiting'; }
    try { if (form.className === 'acts' || form.className === 'toast') { sessionStorage.setItem(keep, String(window.pageYOffset)); } } catch (off) { /* private mode */ }
  });
  document.addEventListener('change', function (event) {
    var field = event.target;
    var form = field.form;
    if (field.name === 'count' && form && /^[0-9]+$/.test(field.value)) { form.querySelector('.enter').click(); }
  });
  document.addEventListener('focusin', function (event) {
    if (event.target.name === 'count') { event.target.select(); }
  });
  try {
    if (sessionStorage.getItem(keep) !== null) {
      window.scrollTo(0, parseInt(sessionStorage.getItem(keep), 10));
      sessionStorage.removeItem(keep);
    }
  } catch (off) { /* private mode */ }

  /* --- back from another page, on and off line -------------------------------------------------------- */
  window.addEventListener('pageshow', function (event) {
    var sent = document.querySelectorAll('[data-sent]');
    var i;
    for (i = 0; i < sent.length; i += 1) { sent[i].removeAttribute('data-sent'); }
    document.body.className = '';
    if (event.persisted && claim) { clearTimeout(timer); location.reload(); }
  });
  function network() {
    if (navigator.onLine === false) { html.setAttribute('data-offline', ''); } else { html.removeAttribute('data-offline'); }
  }
  window.addEventListener('online', network);
  window.addEventListener('offline', network);
  network();

  /* --- the language list closes like any other ----------------------------------------------------- */
  document.addEventListener('click', function (event) {
    var list = document.querySelector('.tongue[open]');
    if (list && !list.contains(event.target)) { list.removeAttribute('open'); }
  });
  document.addEventListener('keydown', function (event) {
    var list = document.querySelector('.tongue[open]');
    if (list && event.key === 'Escape') { list.removeAttribute('open'); list.querySelector('summary').focus(); }
  });
}());
