"""Writes crossing.eml with Python's email package: two bodies, an attachment, a name outside ASCII."""
from email.message import EmailMessage
from email.policy import SMTP

mail = EmailMessage(policy=SMTP)
mail["From"] = "Søren Lindqvist <soren@fallow.example>"
mail["To"] = "Ida Brandt <ida@fallow.example>, crew@fallow.example"
mail["Date"] = "Mon, 02 Mar 2026 14:30:00 +0100"
mail["Subject"] = "Extra crossing on Easter Sunday – please confirm"
mail.set_content(
    """Dear Ida,

the council asks for an extra crossing on Easter Sunday at 21:40, because the
concert on Osk Island ends late. Pavel Rask says that the engine is fit for it.

- departure: 21:40 from Osk Island
- crew: four, Jonas Veld among them

Please confirm by Friday.

Søren
"""
)
mail.add_alternative("<p>Dear Ida, the <b>council</b> asks for an extra crossing.</p>", subtype="html")
mail.add_attachment(b"%PDF-1.4 a picture of the timetable", maintype="application", subtype="pdf", filename="timetable.pdf")
with open("crossing.eml", "wb") as file:
    file.write(mail.as_bytes())
