"""Partners, merchants, API keys; partner and guest tokens; the guards."""
