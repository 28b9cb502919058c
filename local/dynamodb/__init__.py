"""DynamoDB on one machine: DynamoDB Local, and before it a gate that enforces what DynamoDB Local does not.

The gate keeps write and read capacity (table and partition), answers throttled requests as DynamoDB does, keeps the
settings of a table that DynamoDB Local has no notion of, and counts to CloudWatch. `gate` has the HTTP side, `capacity`
the arithmetic, `tables` a table's settings.
"""
