"""A stand-in for Lindorm's wide-table engine: a server that speaks the MySQL protocol and refuses what Lindorm refuses.

Tables live in SQLite, in the order of their primary key. It is strict where Lindorm's documents leave room: a query
that passes here should pass there. The limits and their sources are in `errors` and `select`.
"""
