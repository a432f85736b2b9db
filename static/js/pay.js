/* Stripe's form: mounted into the page, and confirmed once at a time. What is typed stays in Stripe's frames. */
(function () {
  'use strict';

  var form = document.getElementById('pay');
  var button = document.getElementById('button');
  var failure = document.getElementById('failure');
  var busy = false;
  var stripe;
  var elements;
  var methods;

  function say(text) {
    failure.textContent = text;
    failure.hidden = !text;
  }

  function ready(can) {
    busy = !can;
    button.disabled = !can;
  }

  function fail(result) {
    /* Without an error the browser is on its way to the address that it comes back by. */
    if (result && result.error) {
      say(result.error.message || form.getAttribute('data-failed'));
      ready(true);
    }
  }

  if (!window.Stripe) {
    say(form.getAttribute('data-unloaded'));
    return;
  }
  stripe = window.Stripe(form.getAttribute('data-key'), { locale: form.getAttribute('data-lang') });
  elements = stripe.elements({
    clientSecret: form.getAttribute('data-secret'),
    appearance: {
      theme: window.matchMedia && window.matchMedia('(prefers-color-scheme: dark)').matches ? 'night' : 'stripe'
    }
  });
  methods = elements.create('payment');
  methods.on('ready', function () { ready(true); });
  methods.on('loaderror', function () { say(form.getAttribute('data-unloaded')); });
  methods.mount('#methods');

  form.addEventListener('submit', function (event) {
    event.preventDefault();
    if (busy || button.disabled) { return; }
    ready(false);
    say('');
    stripe.confirmPayment({
      elements: elements,
      confirmParams: { return_url: form.getAttribute('data-return') }
    }).then(fail, function () { fail({ error: {} }); });
  });
}());
