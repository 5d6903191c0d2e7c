"""Format chapter 9: the CSV view."""
from events import actor_of, actor_name, type_of


CSV_HEAD = "index,time,type,tenant,request,step,who,side,from,to,event\r\n"


def csv_line(index, document, data):
    """One line of events.csv."""
    text = lambda value: value if isinstance(value, str) else ""
    actor = actor_of(data)
    version = document.get("subjectversion")
    cells = [
        str(index), document["time"], type_of(document), text(document.get("tenant")), text(document.get("correlationid")),
        str(version) if isinstance(version, int) else "", text(actor_name(data)), text(actor.get("side")),
        text(data.get("from")), text(data.get("to")), document["id"],
    ]
    out = []
    for cell in cells:
        if cell and cell[0] in "=+-@\t\r\0":
            cell = "'" + cell
        if any(c in cell for c in '",\r\n'):
            cell = '"' + cell.replace('"', '""') + '"'
        out.append(cell)
    return ",".join(out) + "\r\n"
