// Starts Swagger UI on the documents that the page names.
window.addEventListener("load", function () {
  var home = document.getElementById("docs").dataset;
  window.SwaggerUIBundle({
    domNode: document.getElementById("docs"),
    urls: [
      { name: "Basket API", url: home.basket },
      { name: "Product Data API", url: home.product }
    ],
    presets: [window.SwaggerUIBundle.presets.apis, window.SwaggerUIStandalonePreset],
    layout: "StandaloneLayout",
    deepLinking: true,
    validatorUrl: null,
    defaultModelsExpandDepth: 0
  });
});
