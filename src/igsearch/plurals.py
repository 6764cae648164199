"""English plurals that the Snowball stemmer does not bring to the stem of their singular: the irregular ones, and regular ones that it takes for another word.

A table rather than a library: those that inflect English cost more to import than a whole search. Where a form is a verb too ("leaves", "lives"), the noun has
it: captions name what is to be seen.
"""

from __future__ import annotations

import re

_TABLE = """
children child  people person  peoples person  brethren brother  oxen ox  geese goose  teeth tooth  feet foot  mice mouse  dormice dormouse  titmice titmouse
lice louse  dice die  pence penny  passersby passerby  ax axe  leaves leaf  lives life  afterlives afterlife  halves half  calves calf  hooves hoof
thieves thief  elves elf  dwarves dwarf  wharves wharf  sheaves sheaf  rooves roof  turves turf  beeves beef  handkerchieves handkerchief  kerchieves kerchief
neckerchieves neckerchief  buses bus  busses bus  bussed bus  gases gas  gasses gas  pluses plus  yeses yes  quizzes quiz  whizzes whiz  fezzes fez
lenses lens  irises iris  canvases canvas  biases bias  aliases alias  pancreases pancreas  christmases christmas  rhinoceroses rhinoceros  trellises trellis
mantises mantis  metropolises metropolis  pelvises pelvis  penises penis  portcullises portcullis  ibises ibis  daises dais  marquises marquis
clematises clematis  amaryllises amaryllis  proboscises proboscis  clitorises clitoris  necropolises necropolis  acropolises acropolis  chrysalises chrysalis
menus menu  emus emu  gnus gnu  tutus tutu  gurus guru  kudus kudu  haikus haiku  zebus zebu  hindus hindu  zulus zulu  caribous caribou  bayous bayou
cacti cactus  fungi fungus  nuclei nucleus  radii radius  stimuli stimulus  alumni alumnus  foci focus  octopi octopus  octopodes octopus  platypi platypus
hippopotami hippopotamus  papyri papyrus  termini terminus  syllabi syllabus  loci locus  gladioli gladiolus  narcissi narcissus  hibisci hibiscus
croci crocus  sarcophagi sarcophagus  uteri uterus  thesauri thesaurus  colossi colossus  esophagi esophagus  rhombi rhombus  cumuli cumulus  cirri cirrus
bacilli bacillus  tumuli tumulus  calculi calculus  moduli modulus  abaci abacus  incubi incubus  succubi succubus  magi magus  genii genius  villi villus
analyses analysis  crises crisis  oases oasis  theses thesis  diagnoses diagnosis  prognoses prognosis  hypotheses hypothesis  parentheses parenthesis
ellipses ellipsis  neuroses neurosis  psychoses psychosis  synopses synopsis  syntheses synthesis  metamorphoses metamorphosis  emphases emphasis
paralyses paralysis  catharses catharsis  nemeses nemesis  antitheses antithesis  prostheses prosthesis  symbioses symbiosis  testes testis
criteria criterion  phenomena phenomenon  automata automaton  ganglia ganglion  polyhedra polyhedron  bacteria bacterium  media medium  data datum
strata stratum  curricula curriculum  memoranda memorandum  stadia stadium  aquaria aquarium  terraria terrarium  vivaria vivarium  planetaria planetarium
gymnasia gymnasium  auditoria auditorium  solaria solarium  sanatoria sanatorium  emporia emporium  moratoria moratorium  crematoria crematorium
honoraria honorarium  millennia millennium  ova ovum  addenda addendum  errata erratum  symposia symposium  podia podium  spectra spectrum
candelabra candelabrum  atria atrium  crania cranium  consortia consortium  referenda referendum  maxima maximum  minima minimum  quanta quantum  sera serum
ultimata ultimatum  indices index  appendices appendix  matrices matrix  vertices vertex  vortices vortex  apices apex  helices helix  codices codex
cortices cortex  cervices cervix  cherubim cherub  seraphim seraph  kibbutzim kibbutz  corpora corpus  genera genus  schemata schema  stigmata stigma
stomata stoma  dogmata dogma  graffiti graffito  panini panino  paparazzi paparazzo  virtuosi virtuoso  maestri maestro  libretti libretto
soliloquies soliloquy  colloquies colloquy  obloquies obloquy  obsequies obsequy  larynges larynx  irides iris  staves staff  flyleaves flyleaf
cloverleaves cloverleaf  nightlives nightlife  chaoses chaos  biscotti biscotto  concerti concerto  tofus tofu  muumuus muumuu  tiramisus tiramisu  flus flu
impromptus impromptu  marabous marabou
"""
_PAIRS = _TABLE.split()
_SINGULARS = dict(zip(_PAIRS[::2], _PAIRS[1::2], strict=True))

_ENDINGS = {
    "children": "child",
    "people": "person",
    "wives": "wife",
    "knives": "knife",
    "wolves": "wolf",
    "shelves": "shelf",
    "selves": "self",
    "loaves": "loaf",
    "scarves": "scarf",
    "teeth": "tooth",
    "feet": "foot",
    "buses": "bus",
    "eaux": "eau",
    "eaus": "eau",
}
"""Of compounds too: bookshelves, grandchildren, plateaux."""

_ENDING = re.compile(f"(?:{'|'.join(_ENDINGS)})$")


def singular(word: str) -> str:
    """The singular of an irregular plural in lower case, and every other word as it is."""
    return _SINGULARS.get(word) or _ENDING.sub(lambda ending: _ENDINGS[ending.group()], word)


def with_man(stem: str) -> str:
    """A stem that ends in -men as that of -man, which serves "specimens" as well as "women"; an omen is not from Oman."""
    return f"{stem[:-3]}man" if stem.endswith("men") and stem != "omen" else stem
