#!/usr/bin/env python3
# The dark lamp: a small adventure for a terminal of any size. An island at night, a ship near its rocks, and a lamp that is out.
# wsd --pty ./examples/adventure.py
#
# The arrows, hjkl or wasd walk, q quits. It reads keys and draws: it starts no program and opens no file.
import curses
import locale
import math
import signal
import sys
import textwrap
import time

ISLAND = """
~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~
~~~~~~~~~~~~~....~~~~~~~~~~~~~~~~~~~~~~~~^^^^^^^~~~~~~~~~~~~
~~~~~~~~...,,,,,,...~~~~~~~~~~~~~~~~~~.^^#######^^~~~~~~~~~~
~~~~~~..,,,TTT,,,,,..~~~~~~~~~~~~~~~.,,^##.....##^~~~~~~~~~~
~~~~~..,,TTTTTT,,,,,,....~~~~~~~~~..,,,^#...L...#^~~~~~~~~~~
~~~~..,,,TT,oTTT,,,,,,,,.......,,,,,,,,^##.....##^.~~~~~~~~~
~~~~.,,,,TTT,TTT,,,,,,,,,,,,,,,,,,,,,,,,^###+###^..~~~~~~~~~
~~~~..,,,,,,,,TT,,,,,,,,,,,,,c,,,,,,,,,,,,,,,,,,,..~~~~~~~~~
~~~~~.,,,######,,,,,,,,,@,,,,,,,,,,TT,,,,,,,,,,...~~~~~~~~~~
~~~~~..,,#....#,,,,,,,,,,,,,,,,,,TTTTT,,,,,,,,..~~~~~~~~~~~~
~~~~~..,,#.m...,,,,,,^^^,,,,,,,,,,,TT,,,,,,,..~~~~~~~~~~~~~~
~~~~~~..,#....#,,,,,^^w^^,,,,,,,,,,,,,,,,...~~~~~~~~~~~~~~~~
~~~~~~~..######,,,,,,^,^^,,,,,,,,,,,,.....==========~~~~~~~~
~~~~~~~~..,,,,,,,,,,,,,,,,,,,,,,,,,...~~~~~~~~~~~~~~~~~~~~~~
~~~~~~~~~~...,,,,,,,....,,,,,,,....~~~~~~~~~~~~~~~~~~~~~~~~~
~~~~~~~~~~~~~.......~~~~~....k..~~~~~~~~~~~~~~~~~~~~~~~~~~~~
~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~
""".split()
WIDTH, HEIGHT = len(ISLAND[0]), len(ISLAND)

THINGS = {
    "k": ("a brass key", "Between shells lies a brass key, green from the sea."),
    "o": ("oil", "Among the pines stands a can of lamp oil, still full."),
    "w": ("a wick", "A gull's nest in the rocks, lined with cotton: a wick, as good as new."),
    "m": ("matches", "In the keeper's hut, beside the cold stove: matches, and they are dry."),
}
GROUND = {
    ".": "Sand. The waves come and go.",
    ",": "Short grass, wet from the night.",
    "=": "The jetty. It ends where the water is deep.",
    "~": "The sea is cold and dark here. You stay ashore.",
    "T": "A pine bars the way. It smells of resin.",
    "^": "The rocks are too steep.",
    "#": "A wall of old stone.",
}
RED, GREEN, YELLOW, BLUE, MAGENTA, CYAN, WHITE = range(1, 8)
LOOKS = {
    "~": ("~", BLUE), ".": (".", YELLOW), ",": (",", GREEN), "T": ("♣", GREEN), "^": ("▲", WHITE), "#": ("█", WHITE),
    "+": ("+", MAGENTA), "=": ("=", YELLOW), "L": ("☼", RED), "c": ("c", MAGENTA),
    "k": ("♦", YELLOW), "o": ("♦", CYAN), "w": ("♦", WHITE), "m": ("♦", RED),
}
LEFT, RIGHT, UP, DOWN = (-1, 0), (1, 0), (0, -1), (0, 1)
STEPS = {curses.KEY_LEFT: LEFT, curses.KEY_RIGHT: RIGHT, curses.KEY_UP: UP, curses.KEY_DOWN: DOWN}
STEPS |= {ord(key): step for keys, step in [("ha", LEFT), ("ld", RIGHT), ("kw", UP), ("js", DOWN)] for key in keys}

CONTROL_C = 3
SIGHT = 8  # tiles, that the lantern shows
CALM_SECONDS = 120  # without a key: then nothing moves, and nothing is sent
LAMP = next((row.index("L"), y) for y, row in enumerate(ISLAND) if "L" in row)
JETTY = next((row.rindex("="), y) for y, row in enumerate(ISLAND) if "=" in row)


class Game:
    def __init__(self):
        self.tiles = {(x, y): tile for y, row in enumerate(ISLAND) for x, tile in enumerate(row)}
        self.place = next(place for place, tile in self.tiles.items() if tile == "@")
        self.tiles[self.place] = ","
        self.bag, self.steps, self.tick = [], 0, 0
        self.ship = None  # its place, once the lamp is lit
        self.text = "The lamp is out, and a ship is near the rocks! Find oil, a wick and matches, and the key to the tower."

    def walk(self, step):
        place = (self.place[0] + step[0], self.place[1] + step[1])
        tile = self.tiles.get(place, "~")
        self.steps += 1
        if tile in THINGS:
            name, self.text = THINGS[tile]
            self.bag.append(name)
            self.tiles[place] = "."
        elif tile == "c":
            self.text = self.ask_the_cat()
            return
        elif tile == "+" and "a brass key" in self.bag:
            self.text = "The key turns. The door of the tower swings open."
            self.tiles[place] = "."
        elif tile == "+":
            self.text = "The door of the tower is locked, with a lock of brass."
            return
        elif tile == "L":
            self.light()
            return
        else:
            self.text = GROUND[tile]
            if tile not in ".,=":
                return
        self.place = place

    def ask_the_cat(self):
        for letter, (name, _) in THINGS.items():
            if name not in self.bag:
                x, y = next(place for place, tile in self.tiles.items() if tile == letter)
                east, south = x - self.place[0], y - self.place[1]
                ways = ["north" if south < -1 else "south" if south > 1 else "", "west" if east < 0 else "east"]
                return f"The cat looks to the {' and '.join(filter(None, ways))}, and purrs: something lies there."
        return "The cat looks up at the lamp, then at you."

    def light(self):
        missing = [name for name, _ in THINGS.values() if name not in self.bag]
        if self.ship:
            self.text = "The lamp burns, and turns by itself."
        elif missing:
            self.text = f"The great lamp, cold and dark. You still need {' and '.join(missing)}."
        else:
            self.text = "Oil, wick, a match: the lamp is lit! Its beam goes round, and the ship turns away from the rocks …"
            self.ship = (WIDTH + 6, JETTY[1])

    def wait(self):
        """The world moves on, without a key."""
        self.tick += 1
        if self.ship and self.ship[0] > JETTY[0] + 1:
            self.ship = (self.ship[0] - 1, self.ship[1])
            if self.ship[0] == JETTY[0] + 1:
                self.text = f"The ship is safe at the jetty, thanks to you and {self.steps} steps. Press q, and sleep well."

    def look(self, x, y):
        """The character at a place, its colour, and whether it is in the light."""
        if (x, y) == self.place:
            return "@", WHITE, True
        if self.ship and self.ship[1] == y and 0 <= x - self.ship[0] < 6:
            return "◄▄▟█▙▄"[x - self.ship[0]], CYAN, True
        tile = self.tiles.get((x, y), "~")
        character, colour = LOOKS[tile]
        if tile == "~" and (x * 13 + y * 7 + self.tick) % 23 == 0:
            character = "≈"
        is_near = math.hypot(x - self.place[0], 2 * (y - self.place[1])) <= SIGHT
        if not self.ship:
            return character, colour, is_near
        if tile == "L":
            return character, YELLOW, True
        turn = math.atan2(2 * (y - LAMP[1]), x - LAMP[0]) - self.tick * 0.3
        is_lit = abs(math.sin(turn)) < 0.2
        return character, YELLOW if is_lit else colour, is_lit or is_near


def put(screen, y, x, text, look=curses.A_NORMAL):
    """Writes as much as the terminal has room for. Nothing goes into the last corner, which would scroll."""
    rows, columns = screen.getmaxyx()
    room = columns - x - (y == rows - 1)
    if 0 <= y < rows and room > 0:
        screen.addstr(y, x, text[:room], look)


def draw(screen, game):
    rows, columns = screen.getmaxyx()
    text = textwrap.wrap(game.text, max(columns - 2, 10))
    height = max(rows - 2 - max(len(text), 2), 1)
    # The view follows the walker, and ends with the island where that fills it.
    left, top = (
        min(max(at - view // 2, 0), size - view) if view < size else (size - view) // 2
        for at, view, size in [(game.place[0], columns, WIDTH), (game.place[1], height, HEIGHT)]
    )
    screen.erase()
    put(screen, 0, 0, " The dark lamp".ljust(columns), curses.A_REVERSE)
    help_text = "arrows walk · q quits "
    put(screen, 0, max(columns - len(help_text), 16), help_text, curses.A_REVERSE)
    for y in range(height):
        for x in range(columns):
            character, colour, is_bright = game.look(left + x, top + y)
            put(screen, 1 + y, x, character, curses.color_pair(colour) | (curses.A_BOLD if is_bright else curses.A_DIM))
    for nth, line in enumerate(text):
        put(screen, 1 + height + nth, 1, line, curses.A_BOLD)
    put(screen, rows - 1, 1, f"You carry {', '.join(game.bag) or 'nothing but a lantern'}.", curses.color_pair(CYAN))
    screen.refresh()


def play(screen):
    curses.raw()  # Ctrl-C is a key, so that the screen is restored
    curses.curs_set(0)
    curses.use_default_colors()
    for colour in range(RED, WHITE + 1):
        curses.init_pair(colour, colour, -1)
    game, last = Game(), time.monotonic()
    while True:
        draw(screen, game)
        is_calm = time.monotonic() - last > CALM_SECONDS
        screen.timeout(-1 if is_calm else 300)
        key = screen.getch()  # KEY_RESIZE is one, too
        if key in (ord("q"), CONTROL_C):
            return game
        if key == -1:
            game.wait()
            continue
        last = time.monotonic()
        if key in STEPS:
            game.walk(STEPS[key])


signal.signal(signal.SIGINT, signal.SIG_DFL)
if not sys.stdin.isatty() or not sys.stdout.isatty():
    sys.exit("adventure.py needs a terminal: wsd --pty ./examples/adventure.py")
locale.setlocale(locale.LC_ALL, "")
ended = curses.wrapper(play)
print("The lamp is lit: well done!" if ended.ship else "The lamp stays dark. Come back soon!")
