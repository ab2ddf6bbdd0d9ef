"""Portero stands between a company and its WhatsApp Business API: who may do what, and a record."""
