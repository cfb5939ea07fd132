"""Kept documents: named stores of pages that outlive sessions."""

NO_DOCUMENT = "There is no kept document of that name."
