/* Small comforts for the phone pages; everything works without them. Holds no text. */
(function () {
  'use strict';

  var html = document.documentElement;
  var claim = document.getElementById('claim');
  var keep = 'jay-scroll';
  var tap = 'jay-tap';
  var tapped = false;
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

  /* The TV says that somebody looks: only here is it known that the page is seen. */
  function seen() {
    var request;
    if (document.visibilityState === 'hidden' || !claim.hasAttribute('data-opened')) { return; }
    request = new XMLHttpRequest();
    request.open('POST', claim.getAttribute('data-opened'), true);
    request.setRequestHeader('Content-Type', 'application/x-www-form-urlencoded');
    request.send('csrf=' + encodeURIComponent((document.querySelector('[name=csrf]') || {}).value || ''));
    claim.removeAttribute('data-opened');
  }
  if (claim) {
    seen();
    document.addEventListener('visibilitychange', seen);
  }

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
    try { if (form.className === 'acts' || form.className === 'toast') { sessionStorage.setItem(keep, String(window.pageYOffset)); sessionStorage.setItem(tap, tapped ? 'yes' : ''); } } catch (off) { /* private mode */ }
  });
  document.addEventListener('change', function (event) {
    var field = event.target;
    var form = field.form;
    if (field.name === 'count' && form && /^[0-9]+$/.test(field.value)) { form.querySelector('.enter').click(); }
  });
  document.addEventListener('focusin', function (event) {
    if (event.target.name === 'count') { event.target.select(); }
  });
  document.addEventListener('pointerdown', function () { tapped = true; });
  document.addEventListener('keydown', function () { tapped = false; html.classList.remove('tapped'); });

  /* After a change: the page where it was, the focus where it makes sense, and what has changed is said. */
  function goOn() {
    var target = document.querySelector('main [autofocus]');
    var said = document.getElementById('said');
    try {
      if (sessionStorage.getItem(keep) !== null) {
        window.scrollTo(0, parseInt(sessionStorage.getItem(keep), 10));
        if (sessionStorage.getItem(tap)) { html.classList.add('tapped'); }
        if (target) {
          target.focus({ preventScroll: true });
          target.scrollIntoView({ block: 'nearest' });
        }
        sessionStorage.removeItem(keep);
        sessionStorage.removeItem(tap);
      }
    } catch (off) { /* private mode */ }
    /* A live region speaks when it changes, not when it is loaded. */
    if (said && said.textContent) {
      if (target) { target.removeAttribute('aria-describedby'); }
      setTimeout(function () { said.textContent += '\u00a0'; }, 300);
    }
  }
  goOn();

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

  /* --- two devices, one basket: ask for its version while the page is seen, and show what is new ------ */
  function follow() {
    var main = document.querySelector('main[data-state]');
    var news = document.getElementById('news');
    var version = main.getAttribute('data-version');
    var seconds = parseFloat(main.getAttribute('data-poll')) || 5;
    var failures = 0;
    var asking = false;
    var next = null;
    var quiet = null;

    function get(address, then) {
      var request = new XMLHttpRequest();
      asking = true;
      request.onreadystatechange = function () {
        if (request.readyState === 4) { asking = false; then(request.status, request.responseText); }
      };
      request.open('GET', address, true);
      request.timeout = 10000;
      request.send();
    }
    function plan(after) {
      clearTimeout(next);
      if (document.visibilityState !== 'hidden') { next = setTimeout(ask, after * 1000); }
    }
    function later() {
      failures += 1;
      plan(Math.min(60, seconds * Math.pow(2, Math.min(failures, 5)) * (0.8 + 0.2 * Math.random())));
    }
    /* Somebody is typing a count, or a button was just pressed: what is new can wait. */
    function busy() {
      var field = document.activeElement;
      return document.querySelector('[data-sent]') || (field && field.name === 'count' && field.value !== field.defaultValue);
    }
    function ask() {
      if (asking) { return; }
      if (busy()) { plan(1); return; }
      get(main.getAttribute('data-state'), function (status, text) {
        var data = null;
        try { data = status === 200 ? JSON.parse(text).data : null; } catch (broken) { data = null; }
        if (status === 404) { data = { version: null }; }
        if (!data) { later(); return; }
        failures = 0;
        if (data.pollSeconds > 0) { seconds = data.pollSeconds; }
        if (String(data.version) === version || busy()) { plan(seconds); return; }
        get(location.pathname + location.search, function (pageStatus, page) {
          if (pageStatus !== 200 && pageStatus !== 404) { later(); return; }
          if (busy()) { plan(1); return; }
          if (show(page)) { plan(seconds); }
        });
      });
    }

    /* The same thing in the page that comes: by the product of its form, its name and its value. */
    function twin(old, box) {
      var line = old.form && old.form.getAttribute('data-line');
      var forms = box.querySelectorAll('form[data-line]');
      var i, n;
      for (i = 0; i < forms.length; i += 1) {
        if (forms[i].getAttribute('data-line') === line) {
          for (n = 0; n < forms[i].elements.length; n += 1) {
            if (forms[i].elements[n].name === old.name && (old.name === 'count' || forms[i].elements[n].value === old.value)) { return forms[i].elements[n]; }
          }
        }
      }
      return null;
    }
    /* The first card on the screen stays where it is, even if one above it came or went. */
    function anchor(line) {
      var forms = document.querySelectorAll('form[data-line]');
      var i, top;
      for (i = 0; i < forms.length; i += 1) {
        top = forms[i].parentNode.getBoundingClientRect().top;
        if (line ? forms[i].getAttribute('data-line') === line : top >= 0) {
          return { line: forms[i].getAttribute('data-line'), top: top };
        }
      }
      return null;
    }
    function put(name, fresh) {
      var old = main.querySelector(name);
      var now = fresh.querySelector(name);
      if (old && now) { old.parentNode.replaceChild(now, old); }
    }
    /* Returns whether there is still a basket to follow. */
    function show(page) {
      var fresh = new DOMParser().parseFromString(page, 'text/html').querySelector('main');
      var focus = document.activeElement;
      var inside = focus && main.contains(focus) && focus !== main;
      var before = window.pageYOffset > 0 ? anchor(null) : null;
      var undo = main.querySelector('.undone');
      var place = [].indexOf.call(main.querySelectorAll('.lines > li'), undo);
      var after, lines;
      if (!fresh) { return true; }
      put('.page', fresh);
      put('.thumb', fresh);
      /* The offer to undo stays at its place, or comes to the top where there is no list any more. */
      if (undo && fresh.hasAttribute('data-state') && !main.querySelector('.undone')) {
        lines = main.querySelectorAll('.lines > li');
        if (place < 0 || !lines.length) {
          main.querySelector('h1').insertAdjacentElement('afterend', undo.tagName === 'LI' ? undo.firstElementChild : undo);
        } else if (place < lines.length) {
          lines[place].parentNode.insertBefore(undo, lines[place]);
        } else {
          lines[lines.length - 1].parentNode.appendChild(undo);
        }
      }
      after = before && anchor(before.line);
      if (after) { window.scrollBy(0, after.top - before.top); }
      if (inside) {
        focus = main.contains(focus) ? focus : twin(focus, main);
        if (!focus || focus.disabled) { focus = main.querySelector('h1'); }
        focus.focus({ preventScroll: true });
      }
      version = fresh.getAttribute('data-version');
      if (version === null) { return false; }
      news.textContent = '';
      setTimeout(function () { news.textContent = news.getAttribute('data-text'); }, 100);
      clearTimeout(quiet);
      quiet = setTimeout(function () { news.textContent = ''; }, 8000);
      return true;
    }

    document.addEventListener('visibilitychange', function () {
      clearTimeout(next);
      if (version !== null) { plan(0.2); }
    });
    window.addEventListener('online', function () { if (version !== null) { failures = 0; plan(0.2); } });
    window.addEventListener('pageshow', function (event) { if (event.persisted && version !== null) { plan(0.2); } });
    plan(seconds);
  }
  if (document.querySelector('main[data-state]') && window.DOMParser) { follow(); }

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
