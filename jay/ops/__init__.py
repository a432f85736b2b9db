"""What the operator needs: demo data, health, documentation."""
