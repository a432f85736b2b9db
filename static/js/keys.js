/* Remote control: arrow keys move the focus to the nearest thing in that direction, OK presses it. ES5. */
(function () {
  'use strict';

  var LEFT = window.VK_LEFT || 37;
  var UP = window.VK_UP || 38;
  var RIGHT = window.VK_RIGHT || 39;
  var DOWN = window.VK_DOWN || 40;
  var OK = window.VK_ENTER || 13;
  var held = false;

  function shown(selector) {
    var all = document.querySelectorAll(selector);
    var i;
    for (i = 0; i < all.length; i += 1) {
      if (all[i].offsetWidth) { return all[i]; }
    }
    return null;
  }

  function targets() {
    var all = document.querySelectorAll('a[href], button:not([disabled])');
    var seen = [];
    var i;
    for (i = 0; i < all.length; i += 1) {
      if (all[i].offsetWidth > 0) { seen.push(all[i]); }
    }
    return seen;
  }

  /* How far `to` lies from `from` in that direction; -1 when it does not. Sideways counts threefold,
     and nothing at all where the two overlap. */
  function distance(from, to, key) {
    var flat = key === LEFT || key === RIGHT;
    var near = flat ? 'left' : 'top';
    var far = flat ? 'right' : 'bottom';
    var low = flat ? 'top' : 'left';
    var high = flat ? 'bottom' : 'right';
    var forward = key === RIGHT || key === DOWN;
    var ahead = forward ? to[near] - from[far] : from[near] - to[far];
    var moved = forward ? to[near] - from[near] : from[far] - to[far];
    var aside = Math.max(0, to[low] - from[high], from[low] - to[high]);
    var centre = Math.abs(to[low] + to[high] - from[low] - from[high]) / 2;
    if (moved < 1 || ahead < -2) { return -1; }
    return Math.max(0, ahead) + 3 * aside + 0.05 * centre;
  }

  function move(key) {
    var all = targets();
    var active = document.activeElement;
    var best = null;
    var least = Infinity;
    var from, i, d;
    if (!active || active === document.body || all.indexOf(active) < 0) {
      best = shown('[data-ok]') || shown('[autofocus]') || all[0];
      if (best) { best.focus(); }
      return;
    }
    from = active.getBoundingClientRect();
    for (i = 0; i < all.length; i += 1) {
      if (all[i] !== active) {
        d = distance(from, all[i].getBoundingClientRect(), key);
        if (d >= 0 && d < least) { least = d; best = all[i]; }
      }
    }
    if (!best && key === RIGHT) { best = document.getElementById('next'); }
    if (best && key === DOWN) { best = preferred(best, active); }
    if (best) { best.focus(); }
  }

  /* A group that is entered from above may say what is meant first. */
  function preferred(best, active) {
    var group = best;
    var first;
    while (group && !(group.hasAttribute && group.hasAttribute('data-group'))) { group = group.parentNode; }
    first = group && !group.contains(active) ? group.querySelector('[data-prefer]:not([disabled])') : null;
    return first && first.offsetWidth ? first : best;
  }

  function press(event) {
    var active = document.activeElement;
    if (!active || active === document.body) { active = shown('[data-ok]'); }
    if (!active || !active.click || !/^(A|BUTTON)$/.test(active.tagName)) { return; }
    event.preventDefault();
    if (!held) { active.click(); }
    held = true;
  }

  document.addEventListener('keydown', function (event) {
    var key = event.keyCode;
    if (event.altKey || event.ctrlKey || event.metaKey) { return; }
    if (key === LEFT || key === UP || key === RIGHT || key === DOWN) {
      event.preventDefault();
      move(key);
    } else if (key === OK) {
      press(event);
    }
  });
  document.addEventListener('keyup', function (event) {
    if (event.keyCode === OK) { held = false; }
  });

  /* Back to the app that has opened this page: it hears so as the frame's or web view's owner. Where nobody
     listens, the page closes itself, or goes back to where it came from. */
  function close() {
    var message = JSON.stringify({ jayBasket: 'close' });
    var framed = window.parent !== window;
    if (framed) { window.parent.postMessage(message, '*'); }
    if (window.ReactNativeWebView) { window.ReactNativeWebView.postMessage(message); }
    if (framed) { return; }
    window.close();
    window.setTimeout(function () { if (window.history.length > 1) { window.history.back(); } }, 300);
  }

  document.addEventListener('click', function (event) {
    if (event.target.hasAttribute && event.target.hasAttribute('data-close')) { close(); }
  });
  document.documentElement.className += ' scripts';
  if (document.activeElement === document.body && shown('[data-close]')) { shown('[data-close]').focus(); }

  /* Browsers that know no autofocus on links, and all of them after a return. */
  window.addEventListener('pageshow', function (event) {
    var first = document.querySelector('[autofocus]');
    held = false;
    if ((event.persisted || !('autofocus' in document.documentElement)) && first && first.offsetWidth) { first.focus(); }
  });
}());
