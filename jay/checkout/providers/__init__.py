"""Payment service providers, all behind one interface."""
