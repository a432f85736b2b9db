/* Small comforts for the phone pages; everything works without them. Holds no text. */
(function () {
  'use strict';

  var html = document.documentElement;
  var claim = document.getElementById('claim');
  var keep = 'jay-scroll';
  var tap = 'jay-tap';
  var tapped = false;
  var timer = null;
  var pressed = null;
  var STALLED = 4000;

  /* Whether this service has answered, and not a proxy in front of it or the login page of a hotel. */
  function ours(page) { return (page || '').indexOf('data-service="jay-basket"') >= 0; }

  /* --- the claim's minute --- */
  function minute() {
    var clock = claim.querySelector('[data-clock]');
    var ends = Date.now() + parseInt(claim.getAttribute('data-left'), 10) * 1000;
    function tick() {
      var left = Math.max(0, Math.ceil((ends - Date.now()) / 1000));
      clock.textContent = Math.floor(left / 60) + ':' + ('0' + left % 60).slice(-2);
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

  /* The TV may know that somebody looks: a page in front of a person, not what a machine has fetched. */
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

  /* --- the code goes off with its eighth character --- */
  function code(field) {
    field.addEventListener('input', function (event) {
      var typed = field.value.replace(/[\s.,:;_\-\u2010-\u2015]/g, '');
      var pasted = event.inputType === 'insertFromPaste' && typed.length > 8;
      if (!event.isComposing && (typed.length === 8 || pasted)) { field.form.querySelector('.button').click(); }
    });
  }
  if (document.getElementById('user_code')) { code(document.getElementById('user_code')); }

  /* --- each form once; what stalls can be tried again --- */
  function network() {
    if (navigator.onLine === false) { html.setAttribute('data-offline', ''); } else { html.removeAttribute('data-offline'); }
  }
  /* Whether the browser is right: some always believe that they are offline. */
  function reachable(then) {
    var request = new XMLHttpRequest();
    request.onreadystatechange = function () { if (request.readyState === 4) { then(request.status > 0); } };
    request.open('HEAD', document.querySelector('link[rel=icon]').href + '?' + Date.now(), true);
    request.timeout = STALLED;
    request.send();
  }
  function calm(form) {
    form.removeAttribute('data-sent');
    document.body.className = '';
  }
  document.addEventListener('submit', function (event) {
    var form = event.target;
    var button = event.submitter || pressed;
    var sent = parseInt(form.getAttribute('data-sent'), 10);
    if (event.defaultPrevented) { return; }
    if (Date.now() - sent < STALLED) { event.preventDefault(); return; }
    if (counting && counting.hold(form, button)) { event.preventDefault(); return; }
    if (navigator.onLine === false && !form.hasAttribute('data-asked')) {
      event.preventDefault();
      network();
      form.setAttribute('data-asked', '');
      reachable(function (yes) {
        if (yes) {
          html.removeAttribute('data-offline');
          if (button) { button.click(); } else { form.submit(); }
        }
      });
      return;
    }
    form.setAttribute('data-sent', String(Date.now()));
    setTimeout(function () { calm(form); }, STALLED);
    if (form.id) { document.body.className = 'waiting'; }
    try { if (form.hasAttribute('data-line') || form.className === 'toast') { sessionStorage.setItem(keep, String(window.pageYOffset)); sessionStorage.setItem(tap, tapped ? 'yes' : ''); } } catch (off) { /* private mode */ }
  });
  document.addEventListener('focusin', function (event) {
    if (event.target.name === 'count') { event.target.select(); }
  });
  document.addEventListener('pointerdown', function () { tapped = true; });
  document.addEventListener('click', function (event) {
    pressed = event.target;
    while (pressed && pressed.nodeName !== 'BUTTON') { pressed = pressed.parentNode; }
  }, true);
  document.addEventListener('keydown', function () { tapped = false; html.classList.remove('tapped'); });

  /* A bar that large text makes tall leaves the screen to the page. */
  function bar() {
    var thumb = document.querySelector('.thumb');
    if (!thumb) { return; }
    html.classList.remove('tall');
    if (thumb.offsetHeight > window.innerHeight * 0.3) { html.classList.add('tall'); }
  }
  window.addEventListener('resize', bar);

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

  /* --- back from another page, on and off line --- */
  window.addEventListener('pageshow', function (event) {
    var sent = document.querySelectorAll('[data-sent]');
    var i;
    for (i = 0; i < sent.length; i += 1) { calm(sent[i]); }
    if (event.persisted && claim) { clearTimeout(timer); location.reload(); }
  });
  window.addEventListener('online', network);
  window.addEventListener('offline', network);
  network();

  /* --- the count moves at once; quick taps go off as one request --- */
  var counting = null;
  function counts() {
    var GATHER = 500;
    var waiting = [];      /* forms whose count is not sent yet */
    var sending = null;
    var held = null;       /* a button that was pressed meanwhile */
    var later = null;
    var tries = 0;

    function body(form, count) {
      var parts = [];
      var i, field;
      for (i = 0; i < form.elements.length; i += 1) {
        field = form.elements[i];
        if (field.type === 'hidden') { parts.push(encodeURIComponent(field.name) + '=' + encodeURIComponent(field.value)); }
      }
      return parts.concat('action=set', 'count=' + encodeURIComponent(count)).join('&');
    }
    function mark() { if (waiting.length || sending) { html.setAttribute('data-counting', ''); } else { html.removeAttribute('data-counting'); } }
    function plan(after) { clearTimeout(later); later = setTimeout(go, after); }
    function done(page) {
      var form = sending.form;
      var more = form.elements.count.value !== sending.count;
      var fresh;
      sending = null;
      tries = 0;
      /* What is refused is shown first, whatever was tapped meanwhile. */
      if (/class="note is-(error|conflict)"/.test(page)) { waiting = []; more = false; }
      if (more) {
        fresh = new DOMParser().parseFromString(page, 'text/html').querySelectorAll('form.acts[data-line]');
        [].forEach.call(fresh, function (other) {
          if (other.getAttribute('data-line') !== form.getAttribute('data-line') || !other.elements.seen) { return; }
          form.elements.version.value = other.elements.version.value;
          form.elements.seen.value = other.elements.seen.value;
        });
        if (waiting.indexOf(form) < 0) { waiting.push(form); }
      }
      if (waiting.length) { go(); return; }
      follow.show(page, true);
      mark();
      if (held) { release(); }
    }
    function lost() {
      var news = document.getElementById('news');
      waiting.push(sending.form);
      sending = null;
      tries += 1;
      news.textContent = news.getAttribute('data-lost');
      setTimeout(function () { news.textContent = ''; }, 6000);
      plan(Math.min(30000, 1500 * Math.pow(2, tries)));
    }
    function go() {
      var request = new XMLHttpRequest();
      var form;
      clearTimeout(later);
      if (sending || !waiting.length) { mark(); return; }
      form = waiting.shift();
      sending = { form: form, count: form.elements.count.value };
      mark();
      request.onreadystatechange = function () {
        if (request.readyState !== 4) { return; }
        if (!ours(request.responseText) || request.status >= 500 || request.status === 429) { lost(); return; }
        if (request.status === 200 || request.status === 404) { done(request.responseText); return; }
        sending = null;
        mark();
        form.querySelector('.enter').click();
      };
      request.open('POST', form.getAttribute('action'), true);
      request.setRequestHeader('Content-Type', 'application/x-www-form-urlencoded');
      request.timeout = 15000;
      request.send(body(form, sending.count));
    }
    function release() {
      var again = held && (held.href ? held : follow.twin(held, document.querySelector('main')));
      held = null;
      if (again) { again.click(); }
    }
    function take(form, after) {
      if (waiting.indexOf(form) < 0) { waiting.push(form); }
      mark();
      plan(after);
    }
    document.addEventListener('click', function (event) {
      var button = event.target;
      var form, field, count;
      while (button && button.nodeName !== 'BUTTON') { button = button.parentNode; }
      form = button && button.form;
      field = form && form.elements.count;
      if (!field || form.className !== 'acts' || (button.value !== 'plus' && button.value !== 'minus') || !/^[0-9]+$/.test(field.value)) { return; }
      event.preventDefault();
      count = parseInt(field.value, 10) + (button.value === 'plus' ? 1 : -1);
      field.value = String(Math.max(1, Math.min(999, count)));
      form.querySelector('[value=minus]').disabled = field.value === '1';
      form.querySelector('[value=plus]').disabled = field.value === '999';
      if (button.disabled) { form.querySelector(button.value === 'plus' ? '[value=minus]' : '[value=plus]').focus(); }
      take(form, GATHER);
    });
    /* The checkout has to know the counts that were tapped. */
    document.addEventListener('click', function (event) {
      if (event.target.id !== 'pay' || !(sending || waiting.length)) { return; }
      event.preventDefault();
      held = event.target;
      go();
    });
    document.addEventListener('change', function (event) {
      var field = event.target;
      if (field.name === 'count' && field.type !== 'hidden' && field.value !== '') { take(field.form, 0); }
    });
    /* Whoever leaves has not changed their mind. */
    window.addEventListener('pagehide', function () {
      if (sending || !navigator.sendBeacon) { return; }
      waiting.forEach(function (form) {
        navigator.sendBeacon(form.getAttribute('action'), new Blob([body(form, form.elements.count.value)], { type: 'application/x-www-form-urlencoded' }));
      });
      waiting = [];
    });
    window.addEventListener('online', function () { if (waiting.length) { go(); } });
    return {
      busy: function () { return sending || waiting.length > 0; },
      /* Another button waits until the counts are sent: its page must know them. */
      hold: function (form, button) {
        if (!sending && !waiting.length) { return false; }
        if (!button || button.className !== 'enter') { held = button; }
        go();
        return true;
      }
    };
  }

  /* --- two devices, one basket: ask for its version while the page is seen, and show what is new ------ */
  var follow = {};
  function following() {
    var main = document.querySelector('main');
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
      return document.querySelector('[data-sent]') || counting.busy() || (field && field.name === 'count' && field.value !== field.defaultValue);
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
          if (!ours(page) || (pageStatus !== 200 && pageStatus !== 404)) { later(); return; }
          if (busy()) { plan(1); return; }
          if (show(page, false)) { plan(seconds); }
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
      var forms = document.querySelectorAll('form.acts[data-line]');
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
    /* Returns whether there is still a basket to follow. `own`: what this phone has changed itself. */
    function show(page, own) {
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
      if (undo && fresh.querySelector('#said') && !main.querySelector('.undone')) {
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
        /* What is told at a product may have pushed its buttons below the bar. */
        if (own) { focus.scrollIntoView({ block: 'nearest' }); }
      }
      if (own && tapped) { html.classList.add('tapped'); }
      version = fresh.getAttribute('data-version');
      bar();
      if (own && fresh.querySelector('#said')) { document.getElementById('said').textContent = fresh.querySelector('#said').textContent + '\u00a0'; }
      if (version === null) { return false; }
      news.textContent = '';
      if (own) { return true; }
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
    if (main.hasAttribute('data-state')) { plan(seconds); }
    follow.show = show;
    follow.twin = twin;
  }
  if (document.getElementById('news') && window.DOMParser) {
    counting = counts();
    following();
  }
  bar();


  /* --- the language list closes like any other --- */
  document.addEventListener('click', function (event) {
    var list = document.querySelector('.tongue[open]');
    if (list && !list.contains(event.target)) { list.removeAttribute('open'); }
  });
  document.addEventListener('keydown', function (event) {
    var list = document.querySelector('.tongue[open]');
    if (list && event.key === 'Escape') { list.removeAttribute('open'); list.querySelector('summary').focus(); }
  });
}());
