// Starts Swagger UI on the documents that the page names, and names what it leaves without a name.
window.addEventListener("load", function () {
  var docs = document.getElementById("docs");
  var home = docs.dataset;
  var dark = window.matchMedia("(prefers-color-scheme: dark)");

  function shade() { document.documentElement.classList.toggle("dark-mode", dark.matches); }
  var PARTS = [[".information-container", "About this API"], [".schemes-server-container", "Servers"]];
  var LEVELS = [["h3.opblock-tag", 2], [".opblock h4", 3], [".opblock h5", 4], ["section.models h4", 2]];
  // A select without a name, and what can be pressed inside of a button, are nothing for a screen reader;
  // what scrolls has to be reached by the keyboard.
  function mend() {
    docs.querySelectorAll("select:not([aria-label])").forEach(function (field) {
      var label = field.closest("label") || field.closest("tr, .opblock-section-header, .servers");
      var words = label && label.querySelector("span, .parameter__name, h4, label");
      field.setAttribute("aria-label", (words && words.textContent.trim()) || "Choice");
    });
    docs.querySelectorAll("input:not([aria-label]), textarea:not([aria-label])").forEach(function (field) {
      field.setAttribute("aria-label", field.getAttribute("placeholder") || "Request body");
    });
    docs.querySelectorAll("[role=button], [role=tab]").forEach(function (outer) {
      if (outer.querySelector("button, a[href], [tabindex]")) { outer.removeAttribute("role"); }
    });
    docs.querySelectorAll("button a[href]").forEach(function (inner) { inner.removeAttribute("href"); });
    docs.querySelectorAll("[role=region][id]:not([aria-label])").forEach(function (region) {
      region.setAttribute("aria-label", region.id.replace(/_/g, " "));
    });
    PARTS.forEach(function (part) {
      docs.querySelectorAll(part[0] + ":not([role])").forEach(function (element) {
        element.setAttribute("role", "region");
        element.setAttribute("aria-label", part[1]);
      });
    });
    docs.querySelectorAll("pre:not([tabindex])").forEach(function (code) { code.tabIndex = 0; });
    // Below the document's title come the tags, then the parts of an operation.
    LEVELS.forEach(function (level) {
      docs.querySelectorAll(level[0] + ":not([aria-level])").forEach(function (heading) {
        heading.setAttribute("aria-level", level[1]);
      });
    });
  }

  // What an answer hands on to the operations below it.
  var MERGE = ["/v2/baskets/users/{userId}/merge", "post"];
  var SCREENS = "/v2/transfers/{displayToken}/";
  var guestToken = null;
  function handOn(path, data) {
    if (path === "/v2/baskets/guests") {
      guestToken = data.token;
      fillIn();
    }
    if (data.displayUrl) {
      ["status", "qr.png", "qr.svg"].forEach(function (last) {
        var token = data.displayUrl.split("/").pop();
        ui.specActions.changeParam([SCREENS + last, "get"], "displayToken", "path", token, false);
      });
    }
  }
  // The viewer fills in the document's example when an operation is opened.
  function fillIn() {
    var body = guestToken && ui.oas3Selectors.requestBodyValue(MERGE[0], MERGE[1]);
    if (typeof body === "string" && body.indexOf(guestToken) < 0) {
      ui.oas3Actions.setRequestBodyValue({
        value: JSON.stringify({ guestToken: guestToken }, null, 2), pathMethod: MERGE
      });
    }
  }
  // This page may be open under another name of the service than the one that the document tells.
  function here(request) {
    var url = new URL(request.url, location.href);
    request.url = location.origin + url.pathname + url.search;
    return request;
  }
  function answered(response) {
    var path = new URL(response.url, location.href).pathname;
    if (response.ok && /^\/v2\/baskets\//.test(path)) {
      try { handOn(path, JSON.parse(response.text).data); } catch (_notJson) { /* nothing to hand on */ }
    }
    return response;
  }
  function authorize() {
    var key = ui.specSelectors.url() === home.basket ? home.basketKey : home.productKey;
    if (key) {
      ui.preauthorizeApiKey("apiKey", key);
      ui.preauthorizeApiKey("userToken", home.token);
    }
  }

  shade();
  dark.addEventListener("change", shade);
  new MutationObserver(function () { mend(); fillIn(); })
    .observe(docs, { childList: true, subtree: true });
  var ui = window.SwaggerUIBundle({
    domNode: docs,
    urls: [
      { name: "Basket API", url: home.basket },
      { name: "Product Data API", url: home.product }
    ],
    presets: [window.SwaggerUIBundle.presets.apis, window.SwaggerUIStandalonePreset],
    layout: "StandaloneLayout",
    deepLinking: true,
    requestInterceptor: here,
    responseInterceptor: answered,
    onComplete: authorize,
    tryItOutEnabled: true,
    validatorUrl: null,
    defaultModelsExpandDepth: 0
  });
});
