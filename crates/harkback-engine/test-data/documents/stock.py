"""Writes stock.xlsx with openpyxl: a title above the table, dates, a formula, a hidden sheet, a sheet of notes."""
import datetime

from openpyxl import Workbook
from openpyxl.styles import Font

book = Workbook()
book.properties.title = "Boatyard stock"
parts = book.active
parts.title = "Spare parts"
parts["A1"] = "Spare parts at Tarn Quay"
rows = [
    ("Name", "Price", "In stock", "Last order", "Supplier"),
    ("Bilge pump", 129.5, 4, datetime.date(2026, 3, 2), "Orm & Sons"),
    ("Fender, large", 45, 12, datetime.date(2025, 11, 17), None),
    ("Signal flare", 18.25, 0, datetime.datetime(2026, 1, 5, 14, 30), "Lantern House"),
]
for y, row in enumerate(rows, 3):
    for x, value in enumerate(row, 1):
        parts.cell(y, x, value)
for cell in parts[3]:
    cell.font = Font(bold=True)
parts["A8"] = "Total"
parts["C8"] = "=SUM(C4:C6)"

notes = book.create_sheet("Notes")
notes["A1"] = "Deliveries arrive at the back gate before eight."
notes["A2"] = "Ask for Greta Orm."

secret = book.create_sheet("Margins")
secret.append(["Part", "Margin"])
secret.append(["Bilge pump", "40 percent"])
secret.sheet_state = "hidden"

book.save("stock.xlsx")
