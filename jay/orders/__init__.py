"""What happens after payment: an order, its parts, and how each of them goes its way."""
