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
  var again = root.hasAttribute('data-again');
  var sending = false;
  var qrTimer = null;
  var qrTries = 0;
  var endsAt = now() + shown * 1000;
  var followUntil = now() + (parseFloat(root.getAttribute('data-follow')) || 0) * 1000;
  var FOLLOWED = 900000;
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

  /* Whether a phone has it, and it is not known yet what becomes of it. */
  function taken() {
    var state = root.getAttribute('data-state');
    return state === 'claimed' || state === 'paying';
  }

  function show(state) {
    if (state === 'opened' && again) { state = 'pending'; }
    if (!set('data-state', state)) { return; }
    if (running()) { tick(); } else { window.clearTimeout(tickTimer); set('data-soon', ''); retire(); focus(); }
    if (window.jayAwake) { window.jayAwake(); }
  }

  /* What OK on the remote control is for now. */
  function focus() {
    var all = root.querySelectorAll('[data-ok]');
    var i;
    for (i = 0; i < all.length; i += 1) {
      if (all[i].offsetWidth) { all[i].focus(); return; }
    }
  }

  /* A screen that was left alone for too long gets no new code: it says so instead of offering one. */
  function retire() {
    var rest = renewableUntil - now();
    window.clearTimeout(retireTimer);
    if (rest > 0) { retireTimer = window.setTimeout(retire, rest + 5); return; }
    if (set('data-renewable', '0') && !running()) { focus(); }
  }

  function draw(left) {
    shown = left;
    seconds.textContent = String(left);
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
    if (failures > 1 && running()) { set('data-net', 'lost'); }
    if (taken() && now() >= followUntil) { stop(); return; }
    if (running() && shown <= 0) { show('expired'); }
    poll(Math.min(Math.max(10, pollSeconds), pollSeconds * Math.pow(2, Math.min(failures, 6)) * (0.8 + 0.2 * Math.random())));
  }

  /* What this service has answered; null for the words of a proxy's, whatever their status. */
  function read(request) {
    var answer = null;
    try { answer = JSON.parse(request.responseText); } catch (foreign) { return null; }
    if (!answer) { return null; }
    if (request.status === 200 && answer.data && /^(pending|opened|claimed|expired|cancelled)$/.test(answer.data.state)) { return answer.data; }
    return answer.error && answer.error.details === 'TRANSFER_UNKNOWN' ? { gone: true } : null;
  }

  function ask() {
    var request = new XMLHttpRequest();
    var answered = false;
    function done() {
      var data;
      if (answered) { return; }
      answered = true;
      asking = false;
      data = read(request);
      if (!data) { failed(); return; }
      if (data.gone && taken()) { stop(); return; }
      if (data.gone) { stop(); renewableUntil = 0; show('expired'); return; }
      failures = 0;
      set('data-net', 'ok');
      if (data.pollSeconds > 0) { pollSeconds = data.pollSeconds; }
      if (data.state === 'claimed' && running()) { followUntil = now() + FOLLOWED; }
      show(data.state === 'claimed' && (data.purchase === 'paying' || data.purchase === 'ordered') ? data.purchase : data.state);
      if (taken() && now() < followUntil) { poll(pollSeconds); return; }
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

  /* Ask for a new code, again and again until the network is back. What takes this page's place is this
     service's: behind a proxy's page a remote control would find no way on. */
  function renew(form) {
    var request = new XMLHttpRequest();
    var answered = false;
    function done() {
      var own = (request.responseText || '').indexOf('data-service="jay-basket"') >= 0;
      if (answered) { return; }
      answered = true;
      sending = false;
      if (!own) {
        set('data-net', 'lost');
        window.setTimeout(function () { if (!sending) { renew(form); } }, 3000);
      } else if (request.status === 200) {
        sending = true;
        window.location.replace(request.responseURL);
      } else {
        form.submit();
      }
    }
    if (now() >= renewableUntil) { retire(); return; }
    sending = true;
    request.onreadystatechange = function () { if (request.readyState === 4) { done(); } };
    request.open('POST', form.getAttribute('action'), true);
    request.timeout = 8000;
    request.setRequestHeader('Content-Type', 'application/x-www-form-urlencoded');
    try { request.send('csrf=' + encodeURIComponent(form.elements[0].value)); } catch (unsent) { done(); }
  }

  document.addEventListener('submit', function (event) {
    if (event.target.className !== 'fresh') { return; }
    if (sending || now() >= renewableUntil) {
      event.preventDefault();
      retire();
    } else if ('responseURL' in XMLHttpRequest.prototype) {
      event.preventDefault();
      renew(event.target);
    } else {
      sending = true;
      window.setTimeout(function () { sending = false; }, 8000);
    }
  });
  window.addEventListener('pageshow', function (event) {
    if (!event.persisted) { return; }
    sending = false;
    if (!stopped) { tick(); poll(0); }
  });

  /* The code large again, whoever has it on a phone. */
  document.addEventListener('click', function (event) {
    if (event.target.id !== 'again') { return; }
    event.preventDefault();
    again = true;
    show('opened');
  });

  /* A picture that does not come is asked for again; meanwhile the card says what to type. */
  function picture() {
    var image = document.getElementById('qr');
    var source = image && image.getAttribute('src');
    function missing() {
      set('data-qr', 'lost');
      window.clearTimeout(qrTimer);
      qrTries += 1;
      qrTimer = window.setTimeout(function () {
        if (running()) { image.src = source + '?try=' + qrTries; }
      }, Math.min(8, Math.pow(2, qrTries - 1)) * 1000);
    }
    if (!image) { return; }
    image.onload = function () { set('data-qr', 'ok'); };
    image.onerror = missing;
    if (image.complete && !image.naturalWidth) { missing(); }
  }

  picture();
  draw(shown);
  if (running()) { tick(); poll(pollSeconds); } else if (taken() && now() < followUntil) { poll(5); retire(); } else { stop(); retire(); }
}());
