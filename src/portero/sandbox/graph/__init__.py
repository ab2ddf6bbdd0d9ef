"""The Graph API's calls, one module for each kind of thing, bound to paths in `routes`."""
