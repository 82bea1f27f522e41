"""Other programs that chat in a browser, beside this one: installed from PyPI, never by tests or CI."""
