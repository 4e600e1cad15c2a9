"""Writes season.pptx with python-pptx: layouts, a hidden slide, a table, speaker notes."""
from pptx import Presentation
from pptx.util import Cm

deck = Presentation()
deck.core_properties.title = "Summer season briefing"

tours = deck.slides.add_slide(deck.slide_layouts[1])
tours.shapes.title.text = "Whale watching from Osk Island"
body = tours.placeholders[1].text_frame
body.text = "Tours leave at nine"
pier = body.add_paragraph()
pier.text, pier.level = "from the north pier", 1
body.add_paragraph().text = "Guide: Runa Dahl"
tours.notes_slide.notes_text_frame.text = (
    "Mention that Runa speaks Norwegian and English.\nTickets sell out by noon."
)

draft = deck.slides.add_slide(deck.slide_layouts[5])
draft.shapes.title.text = "Draft: prices for next year"
draft._element.set("show", "0")

staff = deck.slides.add_slide(deck.slide_layouts[5])
staff.shapes.title.text = "Staff"
rows = [("Name", "Role", "Harbour"), ("Runa Dahl", "guide", "Osk Island"), ("Emil Stroud", "skipper", "Tarn Quay")]
table = staff.shapes.add_table(len(rows), 3, Cm(2), Cm(6), Cm(20), Cm(4)).table
for y, row in enumerate(rows):
    for x, text in enumerate(row):
        table.cell(y, x).text = text
box = staff.shapes.add_textbox(Cm(2), Cm(15), Cm(20), Cm(2))
box.text_frame.text = "Radio channel for tours: 8"

deck.save("season.pptx")
