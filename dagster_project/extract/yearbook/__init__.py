"""Reader of the China City Statistical Yearbook (中国城市统计年鉴), any edition.

Belongs here: from a workbook as downloaded to observations in the shared schema. Does not belong
here: resolving cities and indicators (the warehouse does, through the seeds), or other tables.
"""

from dagster_project.extract.yearbook.read import read_edition, read_file

__all__ = ["read_edition", "read_file"]
