"""Details of posters: what is known of a film beside its poster, and its encoding as numbers."""
