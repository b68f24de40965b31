"""Where stages run: one small protocol, one module per place."""
