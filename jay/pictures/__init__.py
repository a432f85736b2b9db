"""The merchants' pictures: fetched once, drawn anew, shown from here."""
