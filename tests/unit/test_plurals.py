"""One thing and several of it are one word to a search, whatever English does to them."""

from __future__ import annotations

import pytest

from igsearch.plurals import singular
from igsearch.text import stem_of

TABLE = """
man men  woman women  child children  person people  leaf leaves  knife knives  wife wives  life lives  wolf wolves  half halves  calf calves  loaf loaves
shelf shelves  scarf scarves  hoof hooves  thief thieves  elf elves  self selves  dwarf dwarves  wharf wharves  sheaf sheaves  roof rooves  roof roofs
chief chiefs  cliff cliffs  handkerchief handkerchieves  beef beeves  mouse mice  louse lice  die dice  goose geese  tooth teeth  foot feet  ox oxen
brother brethren  bus buses  bus busses  gas gases  gas gasses  lens lenses  iris irises  plus pluses  minus minuses  yes yeses  quiz quizzes  whiz whizzes
fez fezzes  topaz topazes  waltz waltzes  cactus cacti  cactus cactuses  fungus fungi  nucleus nuclei  radius radii  stimulus stimuli  alumnus alumni
focus foci  octopus octopi  octopus octopuses  hippopotamus hippopotami  hippopotamus hippopotamuses  platypus platypuses  walrus walruses  virus viruses
bonus bonuses  campus campuses  circus circuses  chorus choruses  status statuses  census censuses  crocus crocuses  papyrus papyri  terminus termini
syllabus syllabi  locus loci  genius geniuses  abacus abacuses  sinus sinuses  lotus lotuses  hibiscus hibiscuses  eucalyptus eucalyptuses  discus discuses
thesaurus thesauruses  analysis analyses  crisis crises  oasis oases  axe axes  ax axes  thesis theses  diagnosis diagnoses  hypothesis hypotheses
parenthesis parentheses  ellipsis ellipses  neurosis neuroses  synopsis synopses  metamorphosis metamorphoses  emphasis emphases  criterion criteria
phenomenon phenomena  automaton automata  bacterium bacteria  medium media  datum data  stratum strata  curriculum curricula  memorandum memoranda
stadium stadia  stadium stadiums  aquarium aquaria  aquarium aquariums  gymnasium gymnasia  millennium millennia  ovum ova  addendum addenda  erratum errata
symposium symposia  podium podia  spectrum spectra  index indices  index indexes  appendix appendices  matrix matrices  vertex vertices  vortex vortices
apex apices  helix helices  codex codices  larva larvae  alga algae  antenna antennae  antenna antennas  formula formulae  nebula nebulae  vertebra vertebrae
alumna alumnae  pupa pupae  supernova supernovae  bureau bureaux  bureau bureaus  plateau plateaux  plateau plateaus  chateau chateaux  gateau gateaux
tableau tableaux  beau beaux  trousseau trousseaux  graffito graffiti  panino panini  paparazzo paparazzi  virtuoso virtuosi  cherub cherubim  seraph seraphim
kibbutz kibbutzim  corpus corpora  genus genera  schema schemata  stigma stigmata  penny pence  penny pennies  fish fishes  baby babies  puppy puppies
city cities  lady ladies  sky skies  fly flies  pony ponies  pie pies  tie ties  die dies  cookie cookies  movie movies  selfie selfies  zombie zombies
hippie hippies  berry berries  cherry cherries  strawberry strawberries  party parties  spy spies  story stories  library libraries  butterfly butterflies
family families  country countries  body bodies  daisy daisies  lily lilies  bunny bunnies  kitty kitties  fairy fairies  jockey jockeys  monkey monkeys
donkey donkeys  turkey turkeys  key keys  valley valleys  chimney chimneys  trolley trolleys  boy boys  toy toys  day days  guy guys  buy buys
smoothie smoothies  brownie brownies  genie genies  birdie birdies  calorie calories  lingerie lingeries  dolly dollies  belly bellies  soliloquy soliloquies
ferry ferries  cry cries  try tries  dry dries  fry fries  ply plies  rookie rookies  goalie goalies  collie collies  foodie foodies  hoodie hoodies
budgie budgies  magpie magpies  necktie neckties  eye eyes  dye dyes  bowtie bowties  box boxes  fox foxes  tax taxes  wax waxes  sphinx sphinxes  dish dishes
brush brushes  bush bushes  wish wishes  beach beaches  bench benches  church churches  match matches  watch watches  sandwich sandwiches  ostrich ostriches
peach peaches  torch torches  witch witches  stomach stomachs  monarch monarchs  glass glasses  class classes  dress dresses  boss bosses  kiss kisses
cross crosses  mattress mattresses  waitress waitresses  actress actresses  compass compasses  princess princesses  grass grasses  address addresses
cypress cypresses  horse horses  house houses  nose noses  rose roses  vase vases  case cases  face faces  place places  race races  slice slices
fence fences  bridge bridges  page pages  cage cages  orange oranges  judge judges  garage garages  shoe shoes  toe toes  canoe canoes  tree trees  bee bees
knee knees  cheese cheeses  purse purses  nurse nurses  maze mazes  prize prizes  breeze breezes  blouse blouses  mongoose mongooses  noose nooses  size sizes
sauce sauces  juice juices  hose hoses  cruise cruises  blaze blazes  base bases  phase phases  dose doses  pose poses  excuse excuses  fuse fuses  muse muses
spouse spouses  tomato tomatoes  potato potatoes  hero heroes  mango mangoes  mango mangos  echo echoes  volcano volcanoes  tornado tornadoes
mosquito mosquitoes  buffalo buffaloes  domino dominoes  cargo cargoes  zero zeroes  veto vetoes  torpedo torpedoes  flamingo flamingoes  flamingo flamingos
photo photos  piano pianos  video videos  radio radios  zoo zoos  kangaroo kangaroos  tattoo tattoos  dingo dingoes  motto mottoes  halo haloes  lasso lassoes
grotto grottoes  bamboo bamboos  avocado avocados  avocado avocadoes  tuxedo tuxedos  ski skis  taxi taxis  bikini bikinis  emu emus  menu menus  gnu gnus
sofa sofas  zebra zebras  pizza pizzas  camera cameras  llama llamas  koala koalas  panda pandas  glove gloves  dove doves  wave waves  cave caves
stove stoves  sleeve sleeves  olive olives  valve valves  hive hives  curve curves  grave graves  slave slaves  cove coves  sieve sieves  eve eves
archive archives  native natives  relative relatives  detective detectives  drive drives  dive dives  grove groves  nerve nerves  safe safes  giraffe giraffes
cafe cafes  chef chefs  reef reefs  puff puffs  cuff cuffs  staff staffs  golf golfs  gulf gulfs  proof proofs  surf surfs  turf turfs  dwarf dwarfs
scarf scarfs  hoof hoofs  wharf wharfs  brief briefs  grief griefs  belief beliefs  serf serfs  smurf smurfs  clef clefs  policeman policemen
policewoman policewomen  fireman firemen  fisherman fishermen  snowman snowmen  gentleman gentlemen  businessman businessmen  salesman salesmen
sportsman sportsmen  workman workmen  doorman doormen  postman postmen  mailman mailmen  cameraman cameramen  craftsman craftsmen  horseman horsemen
cowman cowmen  seaman seamen  batman batmen  chairman chairmen  spokeswoman spokeswomen  grandchild grandchildren  stepchild stepchildren
schoolchild schoolchildren  salesperson salespeople  businessperson businesspeople  spokesperson spokespeople  townsperson townspeople  bookshelf bookshelves
werewolf werewolves  housewife housewives  midwife midwives  penknife penknives  jackknife jackknives  meatloaf meatloaves  forefoot forefeet
eyetooth eyeteeth  dormouse dormice  headscarf headscarves  human humans  german germans  roman romans  talisman talismans  ottoman ottomans  shaman shamans
caiman caimans  specimen specimens  omen omens  abdomen abdomens  stamen stamens  walkman walkmans  afterlife afterlives  swimsuit swimsuits  bass basses
canvas canvases  atlas atlases  pancreas pancreases  pajama pajamas  pyjama pyjamas  christmas christmases  alias aliases  bias biases
rhinoceros rhinoceroses  cosmos cosmoses  chaos chaoses  albatross albatrosses  asparagus asparaguses  grouse grouses  trellis trellises  mantis mantises
metropolis metropolises  pelvis pelvises  portcullis portcullises  ibis ibises  dais daises  marquis marquises  tigress tigresses  lioness lionesses
caress caresses  clematis clematises  amaryllis amaryllises  proboscis proboscises  coleus coleuses  gladiolus gladioli  narcissus narcissi
narcissus narcissuses  hippo hippos  rhino rhinos  sarcophagus sarcophagi  uterus uteri  thesaurus thesauri  colossus colossi  esophagus esophagi
rhombus rhombuses  rhombus rhombi  trampoline trampolines  surplus surpluses  nexus nexuses  omnibus omnibuses  minibus minibuses  trolleybus trolleybuses
airbus airbuses  suffix suffixes  fetus fetuses  pegasus pegasuses  cumulus cumuli  cirrus cirri
"""
PAIRS = [tuple(pair.split()) for pair in TABLE.replace("\n", "  ").strip().split("  ")]
"""Singulars with their plurals: most of those that grammars call irregular, and regular ones of every ending."""


def test_singular_and_plural_meet() -> None:
    """Whichever of them a caption has, the other finds it."""
    assert len(PAIRS) > 500
    assert [(one, several) for one, several in PAIRS if stem_of(one) != stem_of(several)] == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("omen", "oman"),
        ("slice", "louse"),
        ("olives", "life"),
        ("pumice", "mouse"),
        ("delves", "elf"),
        ("delves", "shelf"),
        ("leaving", "leaf"),
        ("cleaves", "leaf"),
        ("living", "life"),
        ("halved", "half"),
        ("man", "woman"),
        ("person", "man"),
        ("bus", "bush"),
        ("gas", "gash"),
        ("german", "germ"),
        ("mention", "man"),
        ("cement", "man"),
        ("beet", "bee"),
        ("news", "new"),
        ("behooves", "hoof"),
        ("feat", "foot"),
    ],
)
def test_words_that_only_look_alike_stay_apart(one: str, other: str) -> None:
    """An ending is no plural where the word has it of its own."""
    assert stem_of(one) != stem_of(other)


@pytest.mark.parametrize("word", ["", "s", "es", "men", "series", "ves", "dog", "people's", "a" * 1000], ids=lambda word: word[:8])
def test_other_words_are_left_as_they_are(word: str) -> None:
    """Regular plurals are the stemmer's; -men is seen to in its stems."""
    assert singular(word) == word
