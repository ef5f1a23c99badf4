// The example's provider in Node.js, without a package: `PORT=8080 node examples/products.js`. It does what products.py does.
"use strict";

const http = require("node:http");

const SHELF = [
  { id: 7, name: "Kettle", price: 34.9, inStock: true, tags: ["kitchen", "steel"] },
  { id: 8, name: "Toaster", price: 49.5, inStock: false, tags: ["kitchen"] },
];
const products = new Map();
const orders = new Map();

function shown(product) {
  return process.env.PRODUCTS_BREAK === "price" ? { ...product, price: product.price.toFixed(2) } : product;
}

function stock(withProducts = true) {
  products.clear();
  orders.clear();
  if (withProducts) SHELF.forEach((product) => products.set(product.id, { ...product }));
}

function setUpState({ state, params = {}, action }) {
  stock(state !== "there are no products");
  if (action === "teardown" || ["", "there are products", "there are no products"].includes(state)) return [200, {}];
  if (state === "a product exists") {
    products.set(params.id, { ...SHELF[0], id: params.id, name: params.name ?? "Kettle" });
  } else if (state === "a product is sold out") {
    products.set(params.id, { ...SHELF[0], id: params.id, inStock: false });
  } else if (state === "no product exists") {
    products.delete(params.id);
  } else if (state === "an order exists") {
    orders.set(params.order, { order: params.order, product: 7, quantity: 1, status: "open" });
  } else {
    return [400, { error: `no such state: ${state}` }];
  }
  return [200, {}];
}

function addProduct(sent) {
  if (!sent.name) return [422, { error: "name is missing" }];
  const product = { inStock: true, tags: [], ...sent, id: Math.max(0, ...products.keys()) + 1 };
  products.set(product.id, product);
  return [201, shown(product), { Location: `/products/${product.id}` }];
}

function placeOrder(sent) {
  if (!products.get(sent.product)?.inStock) return [409, { error: "sold out" }];
  const order = { order: `o-${orders.size + 1}`, status: "open", ...sent };
  orders.set(order.order, order);
  return [201, order];
}

function answer(method, url, headers, sent) {
  const [, kind, id] = url.pathname.split("/");
  switch (`${method} /${kind}${id === undefined ? "" : "/"}`) {
    case "POST /_states":
      return setUpState(sent);
    case "GET /health":
      return [200, { status: "ok" }];
    case "GET /products": {
      const tag = url.searchParams.get("tag");
      const found = [...products.values()].filter((product) => tag === null || product.tags.includes(tag));
      return [200, { products: found.map(shown), total: found.length }];
    }
    case "GET /products/": {
      const product = products.get(Number(id));
      if (product === undefined) return [404, { error: "not found", id: Number(id) }];
      return [200, shown(product), { "Cache-Control": "max-age=60" }];
    }
    case "POST /products":
      return addProduct(sent);
    case "DELETE /products/":
      return [products.delete(Number(id)) ? 204 : 404];
    case "POST /orders":
      return placeOrder(sent);
    case "GET /orders/":
      if (headers.authorization !== "Bearer storefront") return [401, { error: "who are you?" }];
      return orders.has(id) ? [200, orders.get(id)] : [404, { error: "not found" }];
    default:
      return [404, { error: "not found" }];
  }
}

stock();
http
  .createServer((request, response) => {
    let body = "";
    request.on("data", (part) => (body += part));
    request.on("end", () => {
      const url = new URL(request.url, "http://localhost");
      const [status, document, headers] = answer(request.method, url, request.headers, body ? JSON.parse(body) : {});
      response.writeHead(status, { ...(document && { "Content-Type": "application/json" }), ...headers });
      response.end(document && JSON.stringify(document));
    });
  })
  .listen(Number(process.env.PORT ?? 8080), "127.0.0.1");
