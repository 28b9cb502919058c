"""Prices: one dated file that the user can replace. No price stands in the code."""

import json
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

Price = Annotated[Decimal, Field(ge=0)]


class PricesError(ValueError):
    """The price file cannot be used; the message names the file, the field and the fix."""


class Prices(BaseModel):
    """Prices in USD as of a date, for one region.

    on_demand_write_per_million: a million write units; provisioned_write_unit_hour: one write unit a second for an
    hour; warm_write_unit: one write unit a second of warm throughput, paid once; storage_gb_month: a GB of table;
    node_hour: an r5.2xlarge; emr_*: what EMR adds for each vCPU and GB that a pod asks for;
    import_gb: a GB (10^9 bytes) that ImportTable reads, uncompressed; bulk_put_gb: the same of StartBulkPutItems. None:
    not known, and the way is not offered.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, alias_generator=to_camel)

    as_of: str = Field(min_length=1)
    region: str
    currency: Literal["USD"]
    sources: str = ""
    on_demand_write_per_million: Price
    provisioned_write_unit_hour: Price
    warm_write_unit: Price
    storage_gb_month: Price = Field(alias="storageGBMonth")
    s3_put_per_thousand: Price
    node_hour: Price
    eks_cluster_hour: Price
    emr_vcpu_hour: Price
    emr_gb_hour: Price = Field(alias="emrGBHour")
    import_gb: Price | None = Field(None, alias="importGB")
    bulk_put_gb: Price | None = Field(None, alias="bulkPutGB")

    @classmethod
    def load(cls, file: Path | None = None) -> "Prices":
        """From a file; default: the one that comes with this version. Raises PricesError."""
        where = str(file) if file else "prices.json"
        try:
            text = (
                file.read_text() if file else resources.files("lindorm_import.plan").joinpath("prices.json").read_text()
            )
            return cls.model_validate(json.loads(text, parse_float=Decimal))
        except OSError as error:
            raise PricesError(f"price file {where} cannot be read: {error.strerror}") from error
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"])) or "the document"
            raise PricesError(f"price file {where}: {field}: {first['msg']}") from error
        except ValueError as error:
            raise PricesError(f"price file {where} is not JSON: {error}") from error
