/* The kiosk: forgets the last person. ES5; stores nothing; holds no text.
   - After `data-idle` seconds without a key, pointer or touch the reset form is sent; a third of the time before
     that a question appears.
   - Forms and links replace the page instead of adding to the history, so that "back" leads nowhere;
     those with `data-renew` only renew the wall. */
(function () {
  'use strict';

  var root = document.querySelector('[data-idle]');
  var reset = document.getElementById('reset');
  var idle = (root && parseFloat(root.getAttribute('data-idle')) || 60) * 1000;
  var last = now();
  var used = root && (root.hasAttribute('data-used') || root.hasAttribute('data-state') || location.search !== '');
  var timer = null;
  var busy = false;
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

  /* Put the wall of an answer in the place of this one; say whether there was one. */
  function renew(answer, address) {
    var box = document.createElement('div');
    var wall, tile;
    box.innerHTML = answer;
    wall = box.querySelector('#wall');
    if (!wall) { return false; }
    root.parentNode.replaceChild(wall, root);
    root = wall;
    reset = document.getElementById('reset');
    try { window.history.replaceState(null, '', address); } catch (old) { /* the old address does as well */ }
    tile = root.querySelector('[autofocus]');
    if (tile) { tile.focus(); }
    busy = false;
    return true;
  }

  /* Ask the server; the answer takes the place of the wall where `renews`, else of the page. */
  function load(method, address, body, renews) {
    var request = new XMLHttpRequest();
    var done = false;
    function finish() {
      var next, status, sent;
      if (done) { return; }
      done = true;
      next = request.responseURL;
      status = request.status;
      if (!status) {
        busy = false;
        sent = document.querySelector('[data-sent]');
        if (sent) { sent.removeAttribute('data-sent'); }
        root.setAttribute('data-net', 'lost');
        last = now();
        arm();
        return;
      }
      if (status === 200 && renews && renew(request.responseText, next)) { return; }
      location.replace(status < 400 && next ? next : location.href.split('#')[0]);
    }
    busy = true;
    root.setAttribute('data-net', 'ok');
    request.onreadystatechange = function () { if (request.readyState === 4) { finish(); } };
    request.open(method, address, true);
    request.timeout = 15000;
    if (body) { request.setRequestHeader('Content-Type', 'application/x-www-form-urlencoded'); }
    try { request.send(body); } catch (unsent) { finish(); }
  }

  function send(form) {
    if (busy) { return; }
    if (able) {
      load('POST', form.getAttribute('action') || location.href, encode(form), form.hasAttribute('data-renew'));
    } else {
      busy = true;
      form.submit();
    }
  }

  function arm() {
    window.clearTimeout(timer);
    if (used && reset) { timer = window.setTimeout(check, 500); }
  }

  function check() {
    var quiet = now() - last;
    var state = root.getAttribute('data-state');
    if (state === 'pending' || state === 'opened') { last = now(); quiet = 0; }
    if (quiet >= idle && !busy) { root.removeAttribute('data-asleep'); send(reset); return; }
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
    if (busy) { return; }
    if (able && link.hasAttribute('data-renew')) { load('GET', link.href, null, true); } else { location.replace(link.href); }
  });
  window.addEventListener('pageshow', function (event) {
    if (event.persisted) { location.reload(); }
  });
  arm();
}());
