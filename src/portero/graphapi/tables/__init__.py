"""Our judgement of every operation: permission, risk and audit event. Shapes are data beside it."""
