#!/usr/bin/env python3
"""Creates the example files of this folder, the same ones every time.

    python3 examples/generate.py

Every person, company and id is made up. LinkedIn slugs end in eight random hexadecimal digits, so
that they belong to no real person. E-mail addresses use domains that are reserved for examples.
"""

import csv
import json
import random
import string
import unicodedata
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import quote

FOLDER = Path(__file__).resolve().parent
SEED = 20240607

PLACES = {
    "United States": (
        "Olivia Ethan Madison Logan Harper Tyler Brooke Marcus Denise Calvin".split(),
        "Whitfield Okafor Delgado Brennan Castellano Hargrove Nguyen Pruitt Sandoval O'Brien".split(),
    ),
    "Germany": (
        "Jürgen Anke Björn Käthe Matthias Sönke Heike Lars Gülay Frauke".split(),
        "Möller Großmann Schäfer Brandt Köhler Weiß Jäger Lindner Yıldız Bäumer".split(),
    ),
    "France": (
        "Zoé François Amélie Benoît Inès Gaëlle Rémi Chloé Thibault Noémie".split(),
        "Lefèvre Gauthier Béranger D'Aubigné Chevallier Marchand Étienne Roussel Faure Garçon".split(),
    ),
    "Denmark": (
        "Søren Mette Rasmus Bodil Jørgen Astrid Kåre Sidsel Anders Freja".split(),
        "Østergaard Kjær Nørgaard Lindqvist Bruun Skovgaard Højlund Dahl Vestergaard Thygesen".split(),
    ),
    "Spain": (
        "Íñigo Begoña Álvaro Lucía Nuria Ramón Íngrid Xavier Pilar Joaquín".split(),
        "Muñoz Echeverría Peña Ibáñez Núñez Carreño Llorente Quintanilla Sáez Villalobos".split(),
    ),
    "Poland": (
        "Agnieszka Paweł Grażyna Łukasz Małgorzata Wojciech Żaneta Michał Zofia Stanisław".split(),
        "Wójcik Kowalczyk Żuławski Gołębiewski Ślusarczyk Piątek Dąbrowski Krzyżanowska Nowak Łapiński".split(),
    ),
    "Japan": (
        "Haruka Kenji Yūko Shōta Ayumi Daichi Emi Ryō Naoko Takumi".split(),
        "Kobayashi Ōno Shimizu Katō Fujiwara Hoshino Miyake Saitō Uchida Wakabayashi".split(),
    ),
    "Brazil": (
        "João Conceição Thiago Letícia Caetano Mônica Otávio Débora Luís Antônia".split(),
        "Araújo Gonçalves Magalhães Queirós Falcão Simões Brandão Guimarães Leão Fagundes".split(),
    ),
}

COMPANIES = [
    ("Northwind Analytics", "example.com"),
    ("Brightwater Logistics, Inc.", "example.net"),
    ("Kestrel & Vane", "example.org"),
    ("Harbourline Software GmbH", "example.com"),
    ('Studio "Quarter Past"', "example.org"),
    ("Lumen Fields Energy", "example.net"),
    ("Paper Lantern Media", "example.com"),
    ("Copperleaf Insurance, LLC", "example.net"),
    ("Öresund Robotics ApS", "example.org"),
    ("Tidewater Biologics", "example.com"),
    ("Atelier Vauquelin S.A.", "example.net"),
    ("Granite Peak Ventures", "example.org"),
    ("Mosaic Freight sp. z o.o.", "example.com"),
    ("Sundial Payments", "example.net"),
    ("Hinoki Systems K.K.", "example.org"),
    ("Verde Mar Alimentos Ltda.", "example.com"),
]

TITLES = [
    "VP Sales", "Head of Procurement", "Chief Operating Officer", "IT Director",
    "Director, Supply Chain", "Marketing Manager", "Founder & CEO", "Controller",
    "Senior Manager, Facilities", "Head of People", "Plant Manager", "Partner",
    "Regional Sales Director, EMEA", "Chief of Staff", "Data Platform Lead",
]

STAGES = ["Lead", "Marketing Qualified Lead", "Sales Qualified Lead", "Opportunity", "Customer"]
MEMBER_ID = string.ascii_letters + string.digits + "-_"
OWNERS = ["Priya Raman", "Tom Ashby", "Céline Moreau", "Jonas Vik", ""]

NOTES = [
    "", "", "", "", "", "",
    "Met at the spring trade fair.",
    "Asked for pricing, wants a call back in Q3",
    'Said "send it to my assistant first", then warmed up.',
    "Call notes:\n- budget approved\n- decision by end of month",
    "Prefers mornings; do not call on Fridays.",
    "Left a voicemail.\n\nNo answer so far, try again after the holidays.",
    "Referred by a colleague; see deal \"Renewal, phase 2\".",
    "Größere Abnahme geplant, Angebot folgt",
    "Moved from another office 📦",
]

HEADER = [
    "Record ID", "First Name", "Last Name", "Company name", "Job Title", "Email", "Phone Number",
    "LinkedIn URL", "Ocean Person ID", "Country/Region", "Lifecycle Stage", "Contact owner",
    "Last Activity Date", "Notes",
]

PLAIN = str.maketrans({
    "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "ß": "ss", "æ": "ae", "Æ": "Ae", "ı": "i",
    "'": "", " ": "-",
})


def plain(text):
    """The text in ASCII: é as e, ß as ss."""
    decomposed = unicodedata.normalize("NFKD", text.translate(PLAIN))
    return "".join(c for c in decomposed if c.isascii())


def hexadecimal(rng, digits):
    return "".join(rng.choice("0123456789abcdef") for _ in range(digits))


class Person:
    """A person who doesn't exist."""

    def __init__(self, rng):
        self.country = rng.choice(list(PLACES))
        first_names, last_names = PLACES[self.country]
        self.first = rng.choice(first_names)
        self.last = rng.choice(last_names)
        self.company, domain = rng.choice(COMPANIES)
        self.title = rng.choice(TITLES)
        name = f"{self.first}.{self.last}"
        self.email = f"{plain(name).lower()}{rng.randrange(10, 99)}@{domain}"
        accented = rng.random() < 0.3
        base = f"{self.first}-{self.last}".replace("'", "").lower()
        base = unicodedata.normalize("NFC", base) if accented else plain(base).lower()
        self.slug = f"{base}-{hexadecimal(rng, 8)}"
        if rng.random() < 0.02:
            # A member id, as exported from Sales Navigator: the only slugs in which case matters.
            self.slug = "ACoAAA" + "".join(rng.choice(MEMBER_ID) for _ in range(33))
        self.ocean = hexadecimal(rng, 24)

    def address(self, rng):
        """The LinkedIn address, in one of the spellings that are found in real exports."""
        encoded = quote(self.slug)
        return rng.choice([
            f"https://www.linkedin.com/in/{encoded}",
            f"https://www.linkedin.com/in/{encoded}",
            f"https://www.linkedin.com/in/{encoded}/",
            f"https://www.linkedin.com/in/{encoded}/",
            f"http://www.linkedin.com/in/{encoded}",
            f"linkedin.com/in/{self.slug}",
            f"www.linkedin.com/in/{encoded}",
            f"https://uk.linkedin.com/in/{encoded}",
            f"https://www.linkedin.com/in/{encoded}?trk=people-search",
            f"https://www.linkedin.com/in/{encoded}/details/experience/",
            f"https://www.linkedin.com/in/{self.slug}/en",
            f"HTTPS://WWW.LINKEDIN.COM/in/{encoded}",
        ])


def crm_row(rng, record, person, has_linkedin, has_ocean):
    active = date(2024, 1, 8) + timedelta(days=rng.randrange(150))
    return {
        "Record ID": record,
        "First Name": person.first,
        "Last Name": person.last,
        "Company name": person.company,
        "Job Title": person.title,
        "Email": person.email,
        "Phone Number": "",
        "LinkedIn URL": person.address(rng) if has_linkedin else "",
        "Ocean Person ID": person.ocean if has_ocean else "",
        "Country/Region": person.country,
        "Lifecycle Stage": rng.choice(STAGES),
        "Contact owner": rng.choice(OWNERS),
        "Last Activity Date": f"{active} {rng.randrange(8, 18):02}:{rng.randrange(60):02}",
        "Notes": rng.choice(NOTES),
    }


def crm_rows(rng, people=960, listed_twice=40):
    """Most have both identifiers, some have one; some people are listed twice, spelled differently."""
    rows, both = [], []
    record = 70_100_000_001
    for _ in range(people):
        person = Person(rng)
        draw = rng.random()
        has_linkedin, has_ocean = draw >= 0.08, draw < 0.08 or draw >= 0.22
        if has_linkedin and has_ocean:
            both.append(person)
        record += rng.randrange(1, 900)
        rows.append(crm_row(rng, record, person, has_linkedin, has_ocean))
    for person in rng.sample(both, listed_twice):
        record += rng.randrange(1, 900)
        row = crm_row(rng, record, person, True, rng.random() < 0.5)
        rows.insert(rng.randrange(len(rows)), row)
    return rows


def write_people(rng):
    with open(FOLDER / "people.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, HEADER, lineterminator="\n")
        writer.writeheader()
        writer.writerows(crm_rows(rng))


def write_people_small(rng):
    header = ["name", "company", "linkedin_url", "ocean_person_id", "clodura_person_id"]
    with open(FOLDER / "people-small.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for place in range(10):
            person = Person(rng)
            linkedin = person.address(rng) if place not in (3, 7) else ""
            ocean = person.ocean if place not in (1, 7) else ""
            clodura = rng.randrange(1_000, 99_999) if place in (3, 5, 7) else ""
            name = f"{person.first} {person.last}"
            writer.writerow([name, person.company, linkedin, ocean, clodura])


def write_people_jsonl(rng):
    with open(FOLDER / "people.jsonl", "w", encoding="utf-8", newline="") as file:
        for place in range(20):
            person = Person(rng)
            row = {"name": f"{person.first} {person.last}", "title": person.title}
            row["company"] = {"name": person.company, "country": person.country}
            if place % 5 != 4:
                row["linkedin_url"] = person.address(rng)
            row["ocean_person_id"] = person.ocean if place % 3 else None
            if place % 5 == 4:
                row["clodura_person_id"] = rng.randrange(1_000, 99_999)
            if place % 4 == 0:
                row["tags"] = rng.sample(["trade fair", "webinar", "référence", "inbound"], 2)
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


MESSY = """\
Name;LinkedIn URL;Ocean Person ID;Notes
Jürgen Möller;https://www.linkedin.com/in/j%C3%BCrgen-m%C3%B6ller-4f21c09a;;"ruft zurück;
nicht vor 9 Uhr"
Brooke Hargrove;https://www.linkedin.com/sales/lead/ACwAAA1bcD2,NAME_SEARCH,x1Yz;6512bd43d9caa6e02c990b0a;

Zoé Lefèvre;;;no identifier yet
Marcus Pruitt;linkedin.com/in/marcus-pruitt-90ab12cd;c20ad4d76fe97759aa27a0c9
Kåre Dahl;linkedin.com/in/kåre-dahl-7be01f44;c51ce410c124a10e0db5e4b9;5" pipe, 20 m;extra
Lucía Peña;https://www.linkedin.com/company/example-company;;
Emi Ōno;linkedin.com/in/emi-ono-1c9d77e0;aab3238922bcc25a6f606eb5;"said "call me" twice"
Paweł Nowak;linkedin.com/in/pawel-nowak-2d0be8a1;9bf31c7ff062936a96d3c8bd;"fine,
really"
Denise Okafor;https://lnkd.in/dXyZ123;;
Íñigo Sáez;linkedin.com/in/@latin1@-saez-66aa10cf;;
Olivia Delgado;https://www.linkedin.com/in/olivia-delgado-3e5f7a9b/;two ids 70efdf2e;
Rasmus Kjær;https://dk.linkedin.com/in/rasmus-kjaer-8d4c1b20;c74d97b01eae257e44aa9d5b;
Antônia Leão;linkedin.com/in/antonia-leao-5a6b7c8d;70efdf2ec9b086079795c442;"never closed
Takumi Katō;linkedin.com/in/takumi-kato-0f1e2d3c;6f4922f45568161a8cdf4ad2;last one
"""


def write_messy():
    """A table as Excel and people save it: BOM, CRLF, semicolons, and most kinds of bad rows."""
    text = MESSY.replace("\n", "\r\n").encode("utf-8")
    # One name in Latin-1, as if pasted by an old program.
    text = text.replace(b"@latin1@", "íñigo".encode("latin-1"))
    (FOLDER / "messy.csv").write_bytes(b"\xef\xbb\xbf" + text)


def main():
    # Each file has its own generator, so that changing one doesn't change the others.
    write_people(random.Random(SEED))
    write_people_small(random.Random(SEED + 1))
    write_people_jsonl(random.Random(SEED + 2))
    write_messy()


if __name__ == "__main__":
    main()
