"""The reference gateway: accounts, sessions and signaling as contract-gateway.md says, and sound where Wavry is not.

Pure modules (``rules``, ``limiter``, ``lockout``, ``moments``, ``strict_json``, ``dialect``, ``pulse``,
``relay_sessions``, ``switchboard``, ``totp``) take the time as an argument; the SQL is in ``accounts`` and ``ledger``;
everything that waits is in ``database``, ``passwords``, ``client_socket`` and the ``*_routes``. The embedded UDP
relay of contract §6 is not here: ``REQUEST_RELAY`` hands out credentials with nothing behind them.
"""
