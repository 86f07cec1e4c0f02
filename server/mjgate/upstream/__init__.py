"""All that speaks to upstreams: the transport, and one module for each dialect."""
