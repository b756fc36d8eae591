"""Other ways to serve the same model: what Gradeline is compared with."""
