# SPDX-License-Identifier: Apache-2.0
"""What the tests share: the process under test, its clients, tensors as values. `conftest.py` makes fixtures of it.

Read `server.py` first. The tests only use clients that users have; raw sockets are for what no client would send.
"""
