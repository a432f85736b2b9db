/* The checkout: how long it is reserved, and whether the payment has arrived. Works without; holds no text. */
(function () {
  'use strict';

  function reserved(line) {
    var ends = Date.now() + parseInt(line.getAttribute('data-reserved'), 10) * 1000;
    function tick() {
      var minutes = line.querySelector('[data-minutes]');
      var left = ends - Date.now();
      if (left <= 0) { location.replace('/checkout'); return; }
      if (minutes) { minutes.textContent = String(Math.ceil(left / 60000)); }
      setTimeout(tick, left % 60000 + 100);
    }
    tick();
  }
  function arrived(main) {
    var seconds = parseInt(main.getAttribute('data-again'), 10);
    function ask() {
      var request = new XMLHttpRequest();
      request.onreadystatechange = function () {
        if (request.readyState !== 4) { return; }
        /* A page of a proxy's would take this one's place, and ask no more. */
        if (request.responseText.indexOf('data-service="jay-basket"') >= 0 && request.responseText.indexOf('data-again') < 0) { location.reload(); return; }
        setTimeout(ask, seconds * 1000);
      };
      request.open('GET', location.pathname, true);
      request.timeout = 15000;
      request.send();
    }
    setTimeout(ask, seconds * 1000);
  }
  if (document.querySelector('[data-reserved]')) { reserved(document.querySelector('[data-reserved]')); }
  if (document.querySelector('[data-again]')) { arrived(document.querySelector('[data-again]')); }
}());
