// Starts Swagger UI on the documents that the page names, and names what it leaves without a name.
window.addEventListener("load", function () {
  var docs = document.getElementById("docs");
  var home = docs.dataset;
  var dark = window.matchMedia("(prefers-color-scheme: dark)");

  function shade() { document.documentElement.classList.toggle("dark-mode", dark.matches); }
  // A select without a name, and buttons inside of a button, are nothing for a screen reader.
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
  }

  shade();
  dark.addEventListener("change", shade);
  new MutationObserver(mend).observe(docs, { childList: true, subtree: true });
  window.SwaggerUIBundle({
    domNode: docs,
    urls: [
      { name: "Basket API", url: home.basket },
      { name: "Product Data API", url: home.product }
    ],
    presets: [window.SwaggerUIBundle.presets.apis, window.SwaggerUIStandalonePreset],
    layout: "StandaloneLayout",
    deepLinking: true,
    tryItOutEnabled: true,
    validatorUrl: null,
    defaultModelsExpandDepth: 0
  });
});
