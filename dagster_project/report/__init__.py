"""The report site: estimates beside published numbers, as static pages that need no server."""
