/* The kiosk: forgets the last person. ES5; stores nothing; holds no text.
   - After `data-idle` seconds without a key, pointer or touch the reset form is sent (a page with `data-home`
     goes there instead); a third of the time before that a question appears.
   - Forms and links replace the page instead of adding to the history, so that "back" leads nowhere;
     those with `data-renew` only renew the wall.
   - Taps are never lost: while the server is asked, they wait in line. */
(function () {
  'use strict';

  var MOST_WAITING = 40;
  var PATIENCE = 15000;
  var root = document.querySelector('[data-idle]');
  var reset = document.getElementById('reset');
  var last = now();
  var used = root && (root.hasAttribute('data-used') || root.hasAttribute('data-state') || location.search !== '');
  var timer = null;
  var busy = false;
  var waiting = [];
  var able = 'responseURL' in XMLHttpRequest.prototype;
  var events = ['keydown', 'mousedown', 'mousemove', 'touchstart', 'wheel'];
  var i;

  function now() {
    return window.performance && window.performance.now ? window.performance.now() : new Date().getTime();
  }

  function encode(form) {
    var pairs = [];
    var n, field;
    for (n = 0; n < form.elements.length; n += 1) {
      field = form.elements[n];
      if (field.name && field.tagName === 'INPUT') {
        pairs.push(encodeURIComponent(field.name) + '=' + encodeURIComponent(field.value));
      }
    }
    return pairs.join('&');
  }

  /* What a link or button does: the same on the wall that was and on the wall that comes. */
  function purpose(control) {
    if (control.tagName === 'A') { return control.getAttribute('href'); }
    return control.form ? control.form.getAttribute('action') + '?' + encode(control.form) : null;
  }

  /* Somebody who has gone on with the arrow keys meanwhile stays there. */
  function focus(wanted) {
    var all = root.querySelectorAll('a[href], button:not([disabled])');
    var n;
    for (n = 0; wanted && n < all.length; n += 1) {
      if (purpose(all[n]) === wanted && all[n].offsetWidth) { all[n].focus(); return; }
    }
    all = root.querySelector('[autofocus]') || root.querySelector('.tile:not([disabled])');
    if (all) { all.focus(); }
  }

  /* Put the wall of an answer in the place of this one; say whether there was one. */
  function renew(answer, address) {
    var box = document.createElement('div');
    var active = document.activeElement;
    var wanted = active && root.contains(active) && active !== root ? purpose(active) : null;
    var wall;
    box.innerHTML = answer;
    wall = box.querySelector('#wall');
    if (!wall) { return false; }
    root.parentNode.replaceChild(wall, root);
    root = wall;
    reset = document.getElementById('reset') || reset;
    last = now();
    arm();
    if (address) {
      try { window.history.replaceState(null, '', address); } catch (old) { /* the old address does as well */ }
    }
    focus(wanted);
    return true;
  }

  /* Nothing came that this page could go on with: say so, and wait for the next tap. */
  function lost() {
    var sent = document.querySelector('[data-sent]');
    busy = false;
    waiting = [];
    if (sent) { sent.removeAttribute('data-sent'); }
    root.setAttribute('data-net', 'lost');
    last = now();
    arm();
  }

  /* Until the next page is there, no tap goes to the server: its answer would be for a page that has gone. */
  function leave(address) {
    busy = true;
    window.setTimeout(lost, PATIENCE);
    location.replace(address);
  }

  /* Ask the server; the answer takes the place of the wall where `renews`, else of the page. */
  function load(method, address, body, renews) {
    var request = new XMLHttpRequest();
    var done = false;
    function finish() {
      var next, status;
      if (done) { return; }
      done = true;
      next = request.responseURL;
      status = request.status;
      /* Only what this service has answered counts: a page of a proxy's would lead nowhere. */
      if (!status || request.responseText.indexOf('data-service="jay-basket"') < 0) { lost(); return; }
      /* What went wrong comes as a wall, too, which says how to go on. */
      if ((renews || status >= 400) && renew(request.responseText, status < 400 && next)) {
        if (status >= 400) { waiting = []; }
        go();
        return;
      }
      if (status >= 400) { lost(); return; }
      leave(next || location.href.split('#')[0]);
    }
    busy = true;
    root.setAttribute('data-net', 'ok');
    request.onreadystatechange = function () { if (request.readyState === 4) { finish(); } };
    request.open(method, address, true);
    request.timeout = PATIENCE;
    if (body) { request.setRequestHeader('Content-Type', 'application/x-www-form-urlencoded'); }
    try { request.send(body); } catch (unsent) { finish(); }
  }

  /* Do what waits in line, one after the other. */
  function go() {
    var next = waiting.shift();
    busy = false;
    if (!next) { return; }
    if (!able) { leave(next[1]); return; }
    load(next[0], next[1], next[2], next[3]);
  }

  function ask(method, address, body, renews) {
    var before = waiting[waiting.length - 1];
    /* Only what adds to the basket can be meant twice. */
    if (before && !(method === 'POST' && renews) && before[1] === address) { return; }
    if (waiting.length < MOST_WAITING) { waiting.push([method, address, body, renews]); }
    if (!busy) { go(); }
  }

  function send(form) {
    if (able) {
      ask('POST', form.getAttribute('action') || location.href, encode(form), form.hasAttribute('data-renew'));
    } else if (!busy) {
      busy = true;
      window.setTimeout(lost, PATIENCE);
      form.submit();
    }
  }

  function forget() {
    waiting = [];
    if (root.hasAttribute('data-home')) { ask('GET', root.getAttribute('data-home'), null, false); } else { send(reset); }
  }

  function arm() {
    window.clearTimeout(timer);
    if (used && (reset || root.hasAttribute('data-home'))) { timer = window.setTimeout(check, 500); }
  }

  function check() {
    var idle = (parseFloat(root.getAttribute('data-idle')) || 60) * 1000;
    var quiet = now() - last;
    var state = root.getAttribute('data-state');
    if (state === 'pending' || state === 'opened') { last = now(); quiet = 0; }
    if (quiet >= idle && !busy) { root.removeAttribute('data-asleep'); forget(); return; }
    if (quiet >= idle * 2 / 3) { root.setAttribute('data-asleep', ''); } else { root.removeAttribute('data-asleep'); }
    window.clearTimeout(timer);
    timer = window.setTimeout(check, Math.min(1000, Math.max(50, idle - quiet)));
  }

  function awake() {
    last = now();
    if (root.hasAttribute('data-asleep')) { root.removeAttribute('data-asleep'); }
    if (!used) { used = true; arm(); }
  }

  if (!root) { return; }
  window.jayAwake = awake;
  for (i = 0; i < events.length; i += 1) { document.addEventListener(events[i], awake); }

  document.addEventListener('submit', function (event) {
    if (event.defaultPrevented) { return; }
    event.preventDefault();
    send(event.target);
  });
  document.addEventListener('click', function (event) {
    var link = event.target;
    while (link && link.tagName !== 'A') { link = link.parentNode; }
    if (!link || !link.href || event.ctrlKey || event.metaKey || event.shiftKey) { return; }
    event.preventDefault();
    ask('GET', link.href, null, able && link.hasAttribute('data-renew'));
  });
  window.addEventListener('pageshow', function (event) {
    if (event.persisted) { location.reload(); }
  });
  arm();
}());
