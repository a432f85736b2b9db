/* The TV's transfer page: follows the state, counts down. ES5; holds no text; one timer to poll, one to count. */
(function () {
  'use strict';

  var root = document.getElementById('transfer');
  var ring = document.getElementById('ring');
  var seconds = document.getElementById('seconds');
  var circle = parseFloat(ring.getAttribute('stroke-dasharray'));
  var lifetime = parseFloat(root.getAttribute('data-lifetime')) || 60;
  var pollSeconds = parseFloat(root.getAttribute('data-poll')) || 1.5;
  var shown = parseInt(root.getAttribute('data-left'), 10) || 0;
  var pollTimer = null;
  var tickTimer = null;
  var retireTimer = null;
  var failures = 0;
  var asking = false;
  var stopped = false;
  var asked0 = false;
  var endsAt = now() + shown * 1000;
  var renewableUntil = now() + (parseFloat(root.getAttribute('data-renewable')) || 0) * 1000;

  /* A TV sets its clock after switching on; this one does not jump. */
  function now() {
    return window.performance && window.performance.now ? window.performance.now() : new Date().getTime();
  }

  function set(name, value) {
    if (root.getAttribute(name) !== value) { root.setAttribute(name, value); return true; }
    return false;
  }

  function running() {
    var state = root.getAttribute('data-state');
    return state === 'pending' || state === 'opened';
  }

  function show(state) {
    var button;
    if (!/^(pending|opened|claimed|expired|cancelled)$/.test(state) || !set('data-state', state)) { return; }
    if (running()) { tick(); } else { window.clearTimeout(tickTimer); set('data-soon', ''); retire(); }
    button = document.getElementById('renew');
    if (!button || !button.offsetWidth) { button = document.querySelector('.leave.on-claimed button'); }
    if (!running() && button && button.offsetWidth) { button.focus(); }
    if (window.jayAwake) { window.jayAwake(); }
  }

  /* A screen that was left alone for too long gets no new code: it says so instead of offering one. */
  function retire() {
    var rest = renewableUntil - now();
    window.clearTimeout(retireTimer);
    if (rest > 0) { retireTimer = window.setTimeout(retire, rest + 5); } else { set('data-renewable', '0'); }
  }

  function draw(left) {
    shown = left;
    seconds.firstChild.nodeValue = String(left);
    ring.setAttribute('stroke-dashoffset', String(Math.round(circle * (1 - Math.min(left / lifetime, 1)) * 10) / 10));
    set('data-soon', left <= 10 ? '10' : left <= 30 ? '30' : '');
  }

  function tick() {
    var rest = Math.max(0, endsAt - now());
    window.clearTimeout(tickTimer);
    if (!running()) { return; }
    if (Math.ceil(rest / 1000) !== shown) { draw(Math.ceil(rest / 1000)); }
    if (rest > 0) {
      tickTimer = window.setTimeout(tick, (rest % 1000 || 1000) + 5);
    } else if (!asked0) {
      asked0 = true;
      poll(0.2);
    }
  }

  /* The server's clock counts; a difference below one second is only rounding and would make the number jump back. */
  function resync(left) {
    if (typeof left !== 'number' || !running()) { return; }
    if (left < shown || left > shown + 1) {
      endsAt = now() + left * 1000;
      asked0 = left <= 0;
      tick();
    }
  }

  function poll(after) {
    window.clearTimeout(pollTimer);
    if (!stopped && !asking) { pollTimer = window.setTimeout(ask, after * 1000); }
  }

  function stop() {
    stopped = true;
    window.clearTimeout(pollTimer);
    set('data-net', 'ok');
  }

  function failed() {
    failures += 1;
    if (failures > 1) { set('data-net', 'lost'); }
    if (running() && shown <= 0) { show('expired'); }
    poll(Math.min(10, pollSeconds * Math.pow(2, Math.min(failures, 6)) * (0.8 + 0.2 * Math.random())));
  }

  function ask() {
    var request = new XMLHttpRequest();
    var answered = false;
    function done() {
      var data = null;
      if (answered) { return; }
      answered = true;
      asking = false;
      if (request.status === 404 || request.status === 410) { stop(); show('expired'); return; }
      try { data = request.status === 200 ? JSON.parse(request.responseText).data : null; } catch (broken) { data = null; }
      if (!data || !data.state) { failed(); return; }
      failures = 0;
      set('data-net', 'ok');
      if (data.pollSeconds > 0) { pollSeconds = data.pollSeconds; }
      show(data.state);
      if (!running()) { stop(); return; }
      resync(data.secondsLeft);
      poll(pollSeconds);
    }
    asking = true;
    request.onreadystatechange = function () { if (request.readyState === 4) { done(); } };
    request.open('GET', root.getAttribute('data-status'), true);
    request.timeout = 8000;
    request.setRequestHeader('Accept', 'application/json');
    try { request.send(); } catch (unsent) { done(); }
  }

  document.addEventListener('submit', function (event) {
    /* Where no poll tells that the network is back, only a try does. */
    if ((!stopped && root.getAttribute('data-net') === 'lost') || navigator.onLine === false) {
      event.preventDefault();
      set('data-net', 'lost');
    } else if (event.target.getAttribute('data-sent')) {
      event.preventDefault();
    } else if (event.target.className === 'fresh' && now() >= renewableUntil) {
      event.preventDefault();
      retire();
    } else {
      event.target.setAttribute('data-sent', 'yes');
    }
  });
  window.addEventListener('online', function () { if (stopped) { set('data-net', 'ok'); } });
  window.addEventListener('pageshow', function (event) {
    var forms = document.getElementsByTagName('form');
    var i;
    for (i = 0; i < forms.length; i += 1) { forms[i].removeAttribute('data-sent'); }
    if (event.persisted && !stopped) { tick(); poll(0); }
  });

  draw(shown);
  if (running()) { tick(); poll(pollSeconds); } else { stop(); retire(); }
}());
