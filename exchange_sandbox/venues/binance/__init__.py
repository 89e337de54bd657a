"""Binance spot and USD-M futures: REST, market streams, user data streams and the WebSocket API."""
