"""The example's provider: a small catalogue, with provider states.

    PORT=8080 python examples/products.py

It keeps its products in memory. `POST /_states` puts it into a provider state. With `PRODUCTS_BREAK=price` it
sends prices as text: a contract broken by a change that looks harmless.
"""

from __future__ import annotations

import os
from typing import Any

from flask import Flask, Response, jsonify, request

Product = dict[str, Any]

SHELF: list[Product] = [
    {"id": 7, "name": "Kettle", "price": 34.9, "inStock": True, "tags": ["kitchen", "steel"]},
    {"id": 8, "name": "Toaster", "price": 49.0, "inStock": False, "tags": ["kitchen"]},
]

products: dict[int, Product] = {}
orders: dict[str, dict[str, Any]] = {}
app = Flask(__name__)


def shown(product: Product) -> Product:
    """Return a product as it is sent."""
    if os.environ.get("PRODUCTS_BREAK") == "price":
        return {**product, "price": f"{product['price']:.2f}"}
    return product


def stock(*, with_products: bool = True) -> None:
    """Replace all products by those at the start, or by none."""
    products.clear()
    orders.clear()
    if with_products:
        products.update({product["id"]: dict(product) for product in SHELF})


@app.post("/_states")
def set_up_state() -> Response | tuple[Response, int]:
    change = request.get_json()
    state, params = change["state"], change.get("params") or {}
    stock(with_products=state != "there are no products")
    if change.get("action") == "teardown" or state in {"", "there are products", "there are no products"}:
        return jsonify({})
    if state == "a product exists":
        products[params["id"]] = {**SHELF[0], "id": params["id"], "name": params.get("name", "Kettle")}
    elif state == "a product is sold out":
        products[params["id"]] = {**SHELF[0], "id": params["id"], "inStock": False}
    elif state == "no product exists":
        products.pop(params["id"], None)
    elif state == "an order exists":
        orders[params["order"]] = {"order": params["order"], "product": 7, "quantity": 1, "status": "open"}
    else:
        return jsonify({"error": f"no such state: {state}"}), 400
    return jsonify({})


@app.get("/health")
def health() -> Response:
    return jsonify({"status": "ok"})


@app.get("/products")
def list_products() -> Response:
    found = list(products.values())
    if "tag" in request.args:
        found = [product for product in found if request.args["tag"] in product["tags"]]
    return jsonify({"products": [shown(product) for product in found], "total": len(found)})


@app.get("/products/<int:product_id>")
def get_product(product_id: int) -> Response | tuple[Response, int]:
    if product_id not in products:
        return jsonify({"error": "not found", "id": product_id}), 404
    response = jsonify(shown(products[product_id]))
    response.headers["Cache-Control"] = "max-age=60"
    return response


@app.post("/products")
def add_product() -> tuple[Response, int]:
    sent = request.get_json()
    if not sent.get("name"):
        return jsonify({"error": "name is missing"}), 422
    product = {"inStock": True, "tags": [], **sent, "id": max(products, default=0) + 1}
    products[product["id"]] = product
    response = jsonify(shown(product))
    response.headers["Location"] = f"/products/{product['id']}"
    return response, 201


@app.delete("/products/<int:product_id>")
def remove_product(product_id: int) -> tuple[str, int]:
    return ("", 204) if products.pop(product_id, None) else ("", 404)


@app.post("/orders")
def place_order() -> tuple[Response, int]:
    sent = request.get_json()
    product = products.get(sent["product"])
    if product is None or not product["inStock"]:
        return jsonify({"error": "sold out"}), 409
    order = {"order": f"o-{len(orders) + 1}", "status": "open", **sent}
    orders[order["order"]] = order
    return jsonify(order), 201


@app.get("/orders/<order>")
def get_order(order: str) -> Response | tuple[Response, int]:
    if request.headers.get("Authorization") != "Bearer storefront":
        return jsonify({"error": "who are you?"}), 401
    return jsonify(orders[order]) if order in orders else (jsonify({"error": "not found"}), 404)


stock()

if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(os.environ.get("PORT", "8080")), threaded=True)
