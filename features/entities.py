"""What features are about: airports, carriers, flight numbers, aircraft."""

from feast import Entity, Project, ValueType

OWNER = "flights-team@example.com"

project = Project(
    name="flights",
    description="Will a flight out of New York arrive 15 minutes late or more, or not at all? Asked two hours before.",
    owner=OWNER,
    tags={"domain": "flights"},
)

origin = Entity(
    name="origin",
    join_keys=["origin"],
    value_type=ValueType.STRING,
    description="Airport that a flight leaves from: EWR, JFK or LGA.",
    owner=OWNER,
    tags={"domain": "airport"},
)
dest = Entity(
    name="dest",
    join_keys=["dest"],
    value_type=ValueType.STRING,
    description="Airport that a flight goes to, by its FAA code.",
    owner=OWNER,
    tags={"domain": "airport"},
)
carrier = Entity(
    name="carrier",
    join_keys=["carrier"],
    value_type=ValueType.STRING,
    description="Airline, by its two-character code.",
    owner=OWNER,
    tags={"domain": "airline"},
)
flight = Entity(
    name="flight",
    join_keys=["flight"],
    value_type=ValueType.INT32,
    description="Flight number; means something together with its carrier.",
    owner=OWNER,
    tags={"domain": "timetable"},
)
tailnum = Entity(
    name="tailnum",
    join_keys=["tailnum"],
    value_type=ValueType.STRING,
    description="Aircraft, by its tail number.",
    owner=OWNER,
    tags={"domain": "aircraft"},
)
