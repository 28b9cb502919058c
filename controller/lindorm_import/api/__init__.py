"""The LindormImport resource: spec, status, conditions, and the CRD that is generated from them."""

GROUP = "lindorm.io"
VERSION = "v1alpha1"
KIND = "LindormImport"
PLURAL = "lindormimports"
SHORT_NAME = "limport"
ABANDON = "lindorm.io/abandon"  # annotation: lets a deleted import go although something stays
