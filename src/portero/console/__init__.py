"""What people see. For now one page, for whoever sits at this machine: what runs, what was decided."""
