# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   tlcourse:
#     title: {en: Feature extraction, pl: Ekstrakcja cech}
#     minutes: 45
#     seconds: 55
#     prerequisites: ["00_start"]
# ---

# %% [markdown] lang="en"
# # Feature extraction
#
# A network that has looked at a million photographs has learned to see. You can use its eyes without training it any further.
#
# **After this lesson you will be able to**
#
# - turn images into feature vectors with a frozen pretrained network,
# - train a linear probe and a k-nearest-neighbour classifier on them, and say what each one assumes,
# - show by a fair experiment how much of the result comes from pretraining,
# - tell in advance when frozen features will fail.
#
# **You need**: [lesson 00](00_start.ipynb), matrices, the softmax. **Time**: about 45 minutes; the code runs in about
# 55 seconds. New words are explained in the glossary of [lesson 00](00_start.ipynb).
# %% [markdown] lang="pl"
# # Ekstrakcja cech
#
# Sieć, która obejrzała milion fotografii, nauczyła się patrzeć. Możesz skorzystać z jej oczu, wcale jej nie trenując.
#
# **Po tej lekcji będziesz umieć**
#
# - zamienić obrazy na wektory cech za pomocą zamrożonego modelu wstępnie wytrenowanego,
# - wytrenować na nich sondę liniową i klasyfikator k najbliższych sąsiadów oraz powiedzieć, co każdy z nich zakłada,
# - pokazać w uczciwym eksperymencie, ile z wyniku zawdzięczasz treningowi wstępnemu,
# - z góry rozpoznać, kiedy zamrożone cechy zawiodą.
#
# **Co trzeba umieć**: [lekcja 00](00_start.ipynb), macierze, funkcja softmax. **Czas**: około 45 minut; kod wykonuje się
# około 55 sekund. Nowe słowa wyjaśnia słowniczek w [lekcji 00](00_start.ipynb).

# %% tags=["setup"]
from tlcourse.classroom import start_lesson, t

start_lesson("01_feature_extraction", lang="en")

# %% tags=["imports"]
import tempfile
import time

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from tlcourse.classroom import (
    Prediction, Quiz, band, check, claim, explore, image_grid, palette, quiz, show, show_source, table, text,
)
from tlcourse.data.boards import CLASS_NAMES, CLASSES, load_boards
from tlcourse.feature_extraction import FeatureExtractor, group_features, knn_predict, linear_probe
from tlcourse.training import predict

# %% [markdown] lang="en"
# ## The idea
#
# Imagine a watchmaker who is hired to inspect circuit boards. Nobody teaches her to see: for years she has been
# telling apart fine edges, shiny metal and tiny parts. You show her a few boards of each kind, she says “I see”, and
# starts. Her eyes stay as they are; only the last step, from what she sees to the name of the defect, is new.
#
# Feature extraction does the same with a network:
#
# 1. take a network that was trained on a large source task, here ImageNet with its 1.3 million photographs,
# 2. cut off its last layer, the one that names ImageNet's classes,
# 3. freeze the rest, and let it turn each of *your* images into a vector of numbers, its **features**,
# 4. train something very small on these vectors.
# %% [markdown] lang="pl"
# ## Pomysł
#
# Wyobraź sobie zegarmistrzynię zatrudnioną do kontroli płytek drukowanych. Nikt nie uczy jej patrzeć: od lat ma do
# czynienia z cienkimi krawędziami, błyszczącym metalem i maleńkimi częściami. Pokazujesz jej po kilka płytek każdego rodzaju, ona mówi
# „rozumiem” i zaczyna pracę. Jej oczy się nie zmieniają; nowy jest tylko ostatni krok: od tego, co widzi, do nazwy wady.
#
# Ekstrakcja cech (ang. *feature extraction*) robi to samo z siecią:
#
# 1. weź sieć wytrenowaną na dużym zadaniu źródłowym (ang. *source task*), tutaj na ImageNecie i jego 1,3 miliona fotografii,
# 2. odetnij jej ostatnią warstwę, tę, która nazywa klasy ImageNetu,
# 3. zamroź (ang. *freeze*) resztę i pozwól jej zamienić każdy z *twoich* obrazów na wektor liczb, czyli na **cechy** (ang. *features*),
# 4. wytrenuj na tych wektorach coś bardzo małego.

# %% [markdown] lang="en"
# ## The task: a factory's circuit boards
#
# A camera looks at circuit boards, 96 × 96 pixels at a time. Is the board good, and if not, which of five defects has it?
# (The pictures are drawn by a program, with changing boards, light and camera noise. Real boards are messier: measure again
# before you trust the numbers.) The factory has labelled 800 images; 400 others are kept for testing.
#
# The colour of the board, the light and the layout change from image to image and mean nothing. What counts is small: a gap in
# a trace, a bridge of solder between two pins. And ImageNet, full of dogs, boats and mushrooms, has no such class at all.
# %% [markdown] lang="pl"
# ## Zadanie: płytki drukowane w fabryce
#
# Kamera fotografuje fragmenty płytek drukowanych, każdy na obrazie 96 × 96 pikseli. Czy płytka jest dobra, a jeśli nie, którą z pięciu
# wad ma? (Zdjęcia rysuje program, zmieniając płytki, światło i szum kamery. Prawdziwe płytki są mniej schludne: zmierz ponownie,
# zanim zaufasz liczbom.) Fabryka oznaczyła etykietami 800 obrazów; 400 innych czeka na test.
#
# Kolor płytki, światło i układ ścieżek zmieniają się z obrazu na obraz i nic nie znaczą. Liczą się drobiazgi: przerwa
# w ścieżce, mostek lutowniczy między dwiema nóżkami. A w ImageNecie, pełnym psów, łodzi i grzybów, takich klas w ogóle nie ma.

# %%
train_images, train_labels, test_images, test_labels = load_boards()
names = [text(CLASS_NAMES[name]) for name in CLASSES]
sample = torch.cat([train_images[train_labels == label][:6] for label in range(6)])
show(
    image_grid(sample, rows=6, row_names=names),
    alt=t(
        "Thirty-six images of circuit boards, six in each row, one row for each of the six classes.",
        "Trzydzieści sześć obrazów płytek, po sześć w wierszu, jeden wiersz dla każdej z sześciu klas.",
    ),
)

# %% [markdown] lang="en"
# ## The mathematics
#
# Let $f_{\theta}$ be the pretrained network without its last layer, with weights $\theta$ that stay as they are. It maps an
# image $x$ to its features
#
# $$z = f_{\theta}(x) \in \mathbb{R}^{D},$$
#
# with $D = 1280$ for the network of this lesson. A **linear probe** (Alain and Bengio 2016, [arXiv 1610.01644](https://arxiv.org/abs/1610.01644))
# is one linear layer on the features, for $C$ classes, with probabilities
#
# $$p = \mathrm{softmax}(W z + b), \qquad W \in \mathbb{R}^{C \times D},\ b \in \mathbb{R}^{C}.$$
#
# Training minimises the cross-entropy on the $N$ labelled examples plus a penalty on large weights:
#
# $$J(W, b) = -\sum_{i=1}^{N} \log p_{i, y_i} + \frac{\lambda}{2} \lVert W \rVert^2 .$$
#
# Here $y_i$ is the true class of example $i$, $p_{i, y_i}$ the probability that the probe gives to it, $\lambda$ the strength of the penalty, and $\lVert W \rVert^2$ the sum of all squared entries.
# %% [markdown] lang="pl"
# ## Matematyka
#
# Niech $f_{\theta}$ będzie modelem wstępnie wytrenowanym (ang. *pretrained model*) bez ostatniej warstwy, o wagach $\theta$, które się nie zmieniają.
# Przekształca on obraz $x$ w cechy
#
# $$z = f_{\theta}(x) \in \mathbb{R}^{D},$$
#
# gdzie w tej lekcji $D = 1280$. **Sonda liniowa** (ang. *linear probe*; Alain i Bengio 2016, [arXiv 1610.01644](https://arxiv.org/abs/1610.01644))
# to jedna warstwa liniowa na cechach, dla $C$ klas, z prawdopodobieństwami
#
# $$p = \mathrm{softmax}(W z + b), \qquad W \in \mathbb{R}^{C \times D},\ b \in \mathbb{R}^{C}.$$
#
# Trening sondy minimalizuje sumę entropii krzyżowej (ang. *cross-entropy*) na $N$ przykładach z etykietami i kary za duże wagi:
#
# $$J(W, b) = -\sum_{i=1}^{N} \log p_{i, y_i} + \frac{\lambda}{2} \lVert W \rVert^2 .$$
#
# Tutaj $y_i$ to prawdziwa klasa przykładu $i$, $p_{i, y_i}$ to prawdopodobieństwo, jakie daje jej sonda, $\lambda$ to siła kary, a $\lVert W \rVert^2$ to suma kwadratów wszystkich wyrazów.

# %% [markdown] lang="en"
# **The step that matters.** Differentiate $J$. Write $a = W z_i + b$ for the logits. Then $-\log p_{i, y_i} = \log \sum_c e^{a_c} - a_{y_i}$, and its derivative by $a$ is $p_i - e_{y_i}$, where
# $e_{y_i}$ is the vector with a one at the true class and zeros elsewhere. The chain rule gives
#
# $$\nabla_W J = \sum_{i=1}^{N} (p_i - e_{y_i})\, z_i^{\top} + \lambda W .$$
#
# Two things to keep.
#
# - Only $z_i$ appears, never $x_i$ or $\theta$. So compute the features **once**, keep them, and forget the images. (An image that augmentation changes has other features.)
# - $J$ is convex: $\log \sum_c e^{a_c}$ is convex, $a$ is linear in $W$ and $b$, and the penalty is a square. So there is no bad local minimum and no lucky start; a solver (here L-BFGS, which chooses its own steps) finds *the* $W$ in about a second. Only $\lambda$ is left to choose.
#
# Even simpler are the **k nearest neighbours**: nothing is trained. The new image gets the class that is most frequent among the $k$
# training images whose features are most similar to its own, by the cosine of the angle between them:
#
# $$s(z, z_i) = \frac{z^{\top} z_i}{\lVert z \rVert \, \lVert z_i \rVert} .$$
#
# The probe assumes that a *weighted sum* of features separates the classes; the neighbours take the features as they come: one with large values weighs more, whether it is useful or not.
# %% [markdown] lang="pl"
# **Najważniejszy krok.** Zróżniczkuj $J$. Oznacz logity (ang. *logits*) przez $a = W z_i + b$. Wtedy $-\log p_{i, y_i} = \log \sum_c e^{a_c} - a_{y_i}$, a pochodna względem $a$ to $p_i - e_{y_i}$, gdzie
# $e_{y_i}$ jest wektorem z jedynką przy prawdziwej klasie i zerami poza nią. Reguła łańcuchowa daje
#
# $$\nabla_W J = \sum_{i=1}^{N} (p_i - e_{y_i})\, z_i^{\top} + \lambda W .$$
#
# Wynikają z tego dwa wnioski.
#
# - Występuje tu tylko $z_i$, nigdy $x_i$ ani $\theta$. Policz więc cechy **raz**, zachowaj je i zapomnij o obrazach. (Obraz zmieniony przez augmentację ma inne cechy.)
# - $J$ jest wypukła: $\log \sum_c e^{a_c}$ jest wypukły, $a$ zależy liniowo od $W$ i $b$, a kara to kwadrat. Każde minimum lokalne jest więc globalne i nic nie zależy od punktu startu; algorytm (tutaj L-BFGS, który sam dobiera kroki) znajduje *to jedno* $W$ w około sekundę. Zostaje tylko wybrać $\lambda$.
#
# Jeszcze prostsza jest metoda **k najbliższych sąsiadów** (ang. *k-nearest neighbours*), w której niczego się nie trenuje. Nowy obraz dostaje klasę, która występuje najczęściej
# wśród $k$ obrazów treningowych o najbardziej podobnych cechach; miarą podobieństwa jest cosinus kąta między wektorami cech:
#
# $$s(z, z_i) = \frac{z^{\top} z_i}{\lVert z \rVert \, \lVert z_i \rVert} .$$
#
# Sonda zakłada, że klasy rozdziela *ważona suma* cech; sąsiedzi biorą cechy takie, jakie są: ta o dużych wartościach waży więcej, przydatna czy nie.

# %% [markdown] lang="en"
# ## Before you run: predict
#
# Guessing first makes you remember what you see. By pure chance one would be right in one case out of six, about 17 %.
# %% [markdown] lang="pl"
# ## Zanim uruchomisz: zgadnij
#
# Kto najpierw zgaduje, lepiej zapamiętuje to, co potem zobaczy. Czysty los trafia raz na sześć razy, czyli w około 17 % przypadków.

# %% tags=["predict"]
guess = Prediction(
    t("A linear probe on features learned from photographs of dogs and boats: what accuracy will it reach on the boards, with 800 labelled images?",
      "Sonda liniowa na cechach wyuczonych na psach i łodziach: jaka będzie jej dokładność na płytkach przy 800 obrazach z etykietami?"),
    low=0, high=100, unit="%",
)
guess

# %% [markdown] lang="en"
# ## The code
#
# This is the whole probe, as it stands in the package. Find the two terms of $J$: the code divides both by $N$, which does not move the minimum, and takes $\lambda = 100$. It first standardises each feature, with mean $m$ and deviation $s$, so that the penalty treats all alike. Since
#
# $$W\, \frac{z - m}{s} + b = \frac{W}{s}\, z + \left( b - \frac{W}{s}\, m \right),$$
#
# the layer that is returned takes the features as they are.
# %% [markdown] lang="pl"
# ## Kod
#
# Oto cały kod sondy z pakietu. Znajdź w nim oba składniki $J$: kod dzieli je przez $N$, co nie przesuwa minimum, i przyjmuje $\lambda = 100$. Najpierw standaryzuje każdą cechę, o średniej $m$ i odchyleniu $s$, żeby kara traktowała wszystkie jednakowo. Ponieważ
#
# $$W\, \frac{z - m}{s} + b = \frac{W}{s}\, z + \left( b - \frac{W}{s}\, m \right),$$
#
# zwracana warstwa przyjmuje cechy takie, jakie są.

# %%
show_source(linear_probe)

# %% [markdown] lang="en"
# `FeatureExtractor` loads the frozen network, here EfficientNet-Lite0 with real ImageNet weights, and encodes images in batches. It was trained
# on images of 224 × 224 pixels; we give it the boards as they are, which is faster and good enough.
# %% [markdown] lang="pl"
# `FeatureExtractor` wczytuje zamrożoną sieć, tutaj EfficientNet-Lite0 z prawdziwymi wagami z ImageNetu, i przetwarza obrazy paczkami (ang. *batches*).
# Trenowano ją na obrazach 224 × 224 pikseli; dajemy jej płytki takie, jakie są, bo tak jest szybciej i wystarczająco dobrze.

# %%
cache = tempfile.TemporaryDirectory()
extractor = FeatureExtractor(cache_dir=cache.name)

start = time.perf_counter()
train_features = extractor.extract_features(train_images)
first = time.perf_counter() - start

# %% [markdown] lang="en"
# Each image has become 1,280 numbers. Ask again, and the same features come from the cache instead of the network.
# %% [markdown] lang="pl"
# Każdy obraz stał się zestawem 1280 liczb. Policz je jeszcze raz: tym razem zostaną odczytane z pamięci podręcznej (ang. *cache*), bez uruchamiania sieci neuronowej.

# %%
start = time.perf_counter()
again = extractor.extract_features(train_images)
second = time.perf_counter() - start
assert torch.equal(again, train_features)
print(t(f"the first time: {first:.1f} s, from the cache: {second:.2f} s",
        f"za pierwszym razem: {first:.1f} s, z pamięci podręcznej: {second:.2f} s"))

# %%
# en: Now the probe itself, and how close your guess was.
# pl: Teraz sama sonda i to, jak blisko było twoje przypuszczenie.
test_features = extractor.extract_features(test_images)
probe = linear_probe(train_features, train_labels)
predicted = probe(test_features).argmax(1)
accuracy = (predicted == test_labels).float().mean().item()
guess.compare(100 * accuracy)

# %% [markdown] lang="en"
# ## The experiment
#
# Is this due to pretraining? Or would *any* network do, or even the pixels? A fair comparison changes one thing at a time:
#
# - **pretrained network**: the features you have just computed,
# - **untrained network**: the same network with random weights, so the same architecture without its experience,
# - **pixels**: the image itself, reduced to 16 × 16 pixels.
#
# Each one gets the same images, the same probe, and the same vote of five neighbours. We let the number of labelled images grow from 50 to 400, and draw each training set five times, since with a small
# one luck plays a part.
# %% [markdown] lang="pl"
# ## Eksperyment
#
# Czy to zasługa treningu wstępnego (ang. *pretraining*)? A może wystarczyłaby *dowolna* sieć albo same piksele? W uczciwym porównaniu zmienia się tylko jedną
# rzecz naraz:
#
# - **sieć wstępnie wytrenowana**: cechy, które właśnie zostały policzone,
# - **sieć niewytrenowana**: ta sama sieć z losowymi wagami, czyli ta sama architektura bez doświadczenia,
# - **piksele**: sam obraz, zmniejszony do 16 × 16 pikseli.
#
# Każdy wariant dostaje te same obrazy, tę samą sondę i to samo głosowanie pięciu sąsiadów. Liczba obrazów z etykietami rośnie od 50 do 400, a każdy zbiór treningowy losujemy pięć razy, bo przy małym
# zbiorze wynik bywa dziełem przypadku.

# %%
untrained = FeatureExtractor(weights=None)


def pixels(images):
    return F.interpolate(images.float() / 255, (16, 16), mode="area").flatten(1)


features = {
    t("pretrained network", "sieć wstępnie wytrenowana"): (train_features, test_features),
    t("untrained network", "sieć niewytrenowana"): (untrained.extract_features(train_images), untrained.extract_features(test_images)),
    t("pixels", "piksele"): (pixels(train_images), pixels(test_images))}

# %%
sizes, seeds = [50, 100, 200, 400], range(5)


def accuracies(train, test):
    # en: Of probe and neighbours: (2, seeds, sizes).
    # pl: Sondy i sąsiadów: (2, ziarna, liczby obrazów).
    runs = torch.empty(2, len(seeds), len(sizes))
    for seed in seeds:
        order = torch.randperm(800, generator=torch.Generator().manual_seed(seed))
        for i, n in enumerate(sizes):
            x, y = train[order[:n]], train_labels[order[:n]]
            runs[0, seed, i] = (linear_probe(x, y)(test).argmax(1) == test_labels).float().mean()
            runs[1, seed, i] = (knn_predict(x, y, test) == test_labels).float().mean()
    return runs


# %%
results = {name: accuracies(*pair) for name, pair in features.items()}
fig, axes = plt.subplots(1, 2, sharey=True, figsize=(9, 3.6))
for ax, which, title in zip(axes, (0, 1), (t("linear probe"), t("5 nearest neighbours", "5 najbliższych sąsiadów"))):
    for (name, runs), colour in zip(results.items(), ("blue", "orange", "grey")):
        band(ax, sizes, runs[which], name, colour, marker="o")
    ax.axhline(1 / 6, color=palette("black"), linestyle=":", label=t("chance"))
    ax.set(title=title, xlabel=t("number of training images"), xscale="log", xticks=sizes, ylim=(0, 1))
    ax.set_xticks(sizes, sizes)
    ax.minorticks_off()
axes[0].set_ylabel(t("test accuracy"))
axes[1].legend()
show(fig, alt=t(
    "Test accuracy against the number of training images: the pretrained network rises far above the untrained one and the pixels.",
    "Dokładność testowa a liczba obrazów treningowych: sieć wstępnie wytrenowana jest znacznie lepsza od pozostałych.",
))

# %% [markdown] lang="en"
# The lines are means over five training sets, the bands 95 % intervals for these means. (They are a little too narrow: the draws overlap, and all are tested on the same 400 images.) Without pretraining the same network is no better than pixels, and both stay a little
# above chance: the learned weights make the difference. The probe beats the neighbours; a likely reason is that it can turn down the features that tell of colour and light, which the neighbours cannot.
#
# **What the paper found.** Donahue et al. 2014 (DeCAF, [arXiv 1310.1531](https://arxiv.org/abs/1310.1531)) put a linear classifier on frozen features of
# a copy of AlexNet, which had won ImageNet in 2012, and reached 86.9 % on Caltech-101, with its 101 classes of objects and 30 training images for each; this
# beat the methods of the day. Our number is lower, with fewer classes. The setting differs in what matters: their objects look
# like ImageNet's; our defects are close-ups of a kind that it hardly contains.
# %% [markdown] lang="pl"
# Linie to średnie dla pięciu zbiorów treningowych, a pasma to przedziały ufności 95 % tych średnich (ang. *confidence intervals*). (Są trochę za wąskie: losowania się pokrywają, a test to zawsze te same 400 obrazów.) Bez treningu wstępnego ta sama sieć nie jest lepsza od pikseli,
# a jedno i drugie jest niewiele lepsze od losowania: różnicę robią wyuczone wagi. Sonda wygrywa z sąsiadami; zapewne dlatego, że może przyciszyć cechy mówiące o kolorze i świetle, czego sąsiedzi nie potrafią.
#
# **Co wyszło w artykule.** Donahue i in. 2014 (DeCAF, [arXiv 1310.1531](https://arxiv.org/abs/1310.1531)) wytrenowali klasyfikator liniowy na zamrożonych cechach
# kopii sieci AlexNet, która wygrała ImageNet w 2012 roku, i na zbiorze Caltech-101 (101 klas przedmiotów, po 30 obrazów treningowych) osiągnęli 86,9 %, czyli
# więcej niż ówczesne metody. Nasz wynik jest niższy, choć klas jest mniej. Różnica tkwi w tym, co najważniejsze: tamte przedmioty
# przypominają te z ImageNetu, a nasze wady to zbliżenia, jakich prawie w nim nie ma.

# %% [markdown] lang="en"
# ## What do the features see?
#
# Take a test image, and look for the training images that are most similar to it, once by features and once by pixels.
# %% [markdown] lang="pl"
# ## Co widzą cechy?
#
# Weź obraz testowy i poszukaj obrazów treningowych najbardziej do niego podobnych: raz według cech, a raz według pikseli.

# %%
queries = [(test_labels == label).nonzero()[0].item() for label in (1, 3, 5)]


def nearest(train, test, rows, count=5):
    # en: The indices of the most similar training images, (queries, count).
    # pl: Numery najbardziej podobnych obrazów treningowych, (zapytania, ile).
    return (F.normalize(test[rows], dim=1) @ F.normalize(train, dim=1).T).topk(count).indices


for name in (t("pretrained network", "sieć wstępnie wytrenowana"), t("pixels", "piksele")):
    found = nearest(*features[name], queries)
    images = torch.cat([torch.cat([test_images[q : q + 1], train_images[row]]) for q, row in zip(queries, found)])
    labels = sum(([t("query", "zapytanie")] + [names[i] for i in train_labels[row]] for row in found), [])
    show(image_grid(images, labels, rows=3, title=name, size=1.3), alt=t(
        f"Three boards and their five nearest training images with their classes; features: {name}.",
        f"Trzy płytki i po pięć najbliższych im obrazów treningowych z nazwami klas; cechy: {name}.",
    ))

# en: Three queries prove little: how many of all neighbours have the right class?
# pl: Trzy zapytania niewiele dowodzą: ilu ze wszystkich sąsiadów ma właściwą klasę?
for name, (train, test) in features.items():
    right = train_labels[nearest(train, test, range(len(test)))] == test_labels[:, None]
    print(f"{name}: {right.float().mean():.2f}")

# %% [markdown] lang="en"
# Pixels mostly find boards of similar colour and brightness; the features more often find the same *thing*, even in another colour and at another place. The printed shares count all test images; chance would be one in six.
# %% [markdown] lang="pl"
# Piksele znajdują przeważnie płytki o podobnym kolorze i jasności; cechy częściej znajdują *to samo*, nawet w innym kolorze i w innym miejscu. Wypisane udziały liczono na wszystkich obrazach testowych; przypadek dałby jeden na sześć.

# %% [markdown] lang="en"
# ## Explore: which layer?
#
# We have used the last features. But the network has nine groups of layers; do the early ones know about boards, too? One pass gives
# the features after each of them. Run both cells, then move the slider from the stem to the last features, and watch the classes part. Each dot is
# a test board, drawn in the two directions in which the class means lie farthest apart, compared with the spread within the classes (linear discriminant analysis). After which group is the probe best?
# %% [markdown] lang="pl"
# ## Zbadaj: która warstwa?
#
# Do tej pory cechy pochodziły z końca sieci. Ale sieć ma dziewięć grup warstw; czy te wczesne też wiedzą coś o płytkach? Jedno przejście
# daje cechy po każdej z nich. Uruchom obie komórki, a potem przesuwaj suwak od początku sieci do ostatnich cech i patrz, jak klasy się rozdzielają. Każda kropka to
# płytka testowa w rzucie na dwa kierunki, w których średnie klas różnią się najbardziej w stosunku do rozrzutu wewnątrz klas (liniowa analiza dyskryminacyjna). Po której grupie sonda jest najlepsza?

# %%
train_by_group = group_features(extractor.backbone, train_images)
test_by_group = group_features(extractor.backbone, test_images)
groups = list(train_by_group)


def depth_accuracy(group):
    depth_probe = linear_probe(train_by_group[group], train_labels)
    return (depth_probe(test_by_group[group]).argmax(1) == test_labels).float().mean().item()


def plane(group):
    # en: Test features (400, 2) in the plane that separates the training classes best.
    # pl: Cechy testowe (400, 2) na płaszczyźnie, która najlepiej rozdziela klasy treningowe.
    lda = LinearDiscriminantAnalysis(n_components=2, solver="eigen", shrinkage=0.3)
    return lda.fit(train_by_group[group], train_labels).transform(test_by_group[group])


by_depth = [depth_accuracy(group) for group in groups]
planes = {group: plane(group) for group in groups}

# %% tags=["widget"]
colours = [palette(name) for name in ("grey", "blue", "orange", "green", "red", "purple")]


def draw(depth):
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8))
    for label, (name, colour) in enumerate(zip(names, colours)):
        left.scatter(*planes[groups[depth]][test_labels == label].T, s=10, color=colour, label=name)
    left.set(xticks=[], yticks=[], title=groups[depth])
    fig.legend(*left.get_legend_handles_labels(), loc="outside left center", markerscale=2)
    right.plot(by_depth, color=palette("grey"), marker="o")
    right.plot(depth, by_depth[depth], "o", color=palette("red"), markersize=11)
    right.set(xlabel=t("layer group", "grupa warstw"), ylabel=t("test accuracy"), ylim=(0, 1))
    right.set_xticks(range(len(groups)), groups, rotation=45)
    return fig, t(f"After {groups[depth]} the probe reaches {by_depth[depth]:.2f}.",
                  f"Po grupie {groups[depth]} sonda osiąga dokładność {by_depth[depth]:.2f}.")


explorer = explore(draw, depth=range(len(groups)), labels={"depth": t("depth", "głębokość")})
explorer.controls["depth"].value = 6
explorer

# %% [markdown] lang="en"
# The stem and the first block know next to nothing; then the accuracy climbs steeply, and the last three groups are about equally good. Mind that depth is not all that changes: the first block has 16 features, the last group 1,280. The linear probe was invented for just such curves.
# %% [markdown] lang="pl"
# Początek sieci i pierwszy blok nie wiedzą prawie nic; potem dokładność stromo rośnie, a trzy ostatnie grupy są mniej więcej równie dobre. Pamiętaj, że zmienia się nie tylko głębokość: pierwszy blok ma 16 cech, ostatnia grupa 1280. Sondę liniową wymyślono właśnie dla takich krzywych.

# %% [markdown] lang="en"
# ## When it fails: where is it?
#
# The last step of the network averages over all positions. So its features tell *what* is on the board, and not *where*. Let us
# put a yellow mark into one of the four quarters of each board, and ask in which.
# %% [markdown] lang="pl"
# ## Kiedy to zawodzi: gdzie to jest?
#
# W ostatnim kroku sieć uśrednia cechy po wszystkich położeniach. Mówią więc, *co* jest na płytce, ale nie *gdzie*. Umieśćmy żółty
# znacznik w jednej z czterech ćwiartek każdej płytki i zapytajmy, w której się znalazł.

# %%
def marked(images, seed):
    # en: The images with a yellow square, and its quarter: 0 top left … 3 bottom right.
    # pl: Obrazy z żółtym kwadratem i jego ćwiartka: 0 lewa górna … 3 prawa dolna.
    images, generator = images.clone(), torch.Generator().manual_seed(seed)
    quarters = torch.randint(4, (len(images),), generator=generator)
    offsets = torch.randint(4, 38, (len(images), 2), generator=generator)
    for image, quarter, (dy, dx) in zip(images, quarters, offsets):
        y, x = dy + 48 * (quarter // 2), dx + 48 * (quarter % 2)
        image[:, y : y + 7, x : x + 7] = torch.tensor([255, 230, 0], dtype=torch.uint8).view(3, 1, 1)
    return images, quarters


marked_train, where_train = marked(train_images[:400], seed=1)
marked_test, where_test = marked(test_images[:200], seed=2)
show(image_grid(marked_test[:8], [str(quarter.item()) for quarter in where_test[:8]]), alt=t(
    "Eight boards, each with a yellow square; the number above tells in which quarter it is.",
    "Osiem płytek, na każdej żółty kwadrat; liczba u góry to numer ćwiartki, w której leży.",
))


# %% [markdown] lang="en"
# A child sees it at once. The averaged features hardly do better than chance; even raw pixels do better. The cure is to average each quarter by itself. We do this after `block5`, where the map still has 6 × 6 positions (the last one has 3 × 3, which cannot be halved), and compare it
# with the plain average of the same map.
# %% [markdown] lang="pl"
# Dziecko widzi to od razu. Uśrednione cechy są niewiele lepsze od losowania; nawet same piksele radzą sobie lepiej. Lekarstwo: uśrednić każdą ćwiartkę osobno. Robimy to po `block5`, gdzie mapa ma jeszcze 6 × 6 położeń (ostatnia ma 3 × 3, czego nie da się przepołowić), i porównujemy
# ze zwykłą średnią tej samej mapy.

# %%
def score(encode):
    answers = linear_probe(encode(marked_train), where_train)(encode(marked_test)).argmax(1)
    return (answers == where_test).float().mean().item()


def pooled(images, size):
    # en: One mean over all positions (size 1), or one for each quarter (size 2).
    # pl: Jedna średnia po wszystkich położeniach (size 1) albo po jednej na ćwiartkę (size 2).
    maps = predict(extractor.backbone.groups[:6], images)
    return F.adaptive_avg_pool2d(maps, size).flatten(1)


where = {
    t("pixels", "piksele"): score(pixels),
    t("last features, averaged", "ostatnie cechy, uśrednione"): score(extractor.extract_features),
    t("after block5, averaged", "po block5, uśrednione"): score(lambda images: pooled(images, 1)),
    t("after block5, each quarter", "po block5, każda ćwiartka osobno"): score(lambda images: pooled(images, 2)),
}
table(list(where.items()), [t("features", "cechy"), t("accuracy; chance is 0.25", "dokładność; losowo 0.25")])

# %% [markdown] lang="en"
# So the network knew, and the averaging threw it away. Ask two questions of frozen features: what did the source task reward, and what does the last pooling discard? Another limit: Kornblith et al. 2019 ([arXiv 1805.08974](https://arxiv.org/abs/1805.08974)) found that on two
# small data sets of classes that differ only in details pretraining on ImageNet brought next to nothing.
# %% [markdown] lang="pl"
# Sieć więc wiedziała, a uśrednianie to wyrzuciło. Zadaj zamrożonym cechom dwa pytania: za co nagradzało zadanie źródłowe i co odrzuca ostatnie uśrednianie? Jest też inne ograniczenie: Kornblith i in. 2019 ([arXiv 1805.08974](https://arxiv.org/abs/1805.08974)) stwierdzili, że na dwóch
# małych zbiorach, których klasy różnią się tylko szczegółami, trening wstępny na ImageNecie nie dał prawie nic.

# %% [markdown] lang="en"
# ## In robotics
#
# A robot learns from tens of demonstrations, not from millions of photographs; frozen features are often all that it can afford. R3M (Nair et al. 2022,
# [arXiv 2203.12601](https://arxiv.org/abs/2203.12601)) trains a network on videos of people in everyday life and freezes it. On such features a Franka Emika Panda
# arm learned manipulation tasks in a real, cluttered apartment from 20 demonstrations each; over 12 simulated tasks success was
# over 20 % higher than with training from scratch. The policy gets the robot's own joint positions beside these features: they tell where the hand is.
# Where the part is must still come from the image.
# %% [markdown] lang="pl"
# ## W robotyce
#
# Robot uczy się na dziesiątkach demonstracji, a nie na milionach fotografii; zamrożone cechy to często wszystko, na co go stać. R3M (Nair i in. 2022,
# [arXiv 2203.12601](https://arxiv.org/abs/2203.12601)) to sieć wytrenowana na filmach z codziennego życia ludzi, a potem zamrożona. Dzięki takim cechom ramieniu robota Franka Emika
# Panda wystarczyło po 20 demonstracji, żeby nauczyć się zadań manipulacyjnych w prawdziwym, zagraconym mieszkaniu; w 12 zadaniach symulowanych skuteczność była
# o ponad 20 % wyższa niż przy treningu od zera (ang. *training from scratch*). Polityka dostaje oprócz cech położenia przegubów robota: one mówią, gdzie jest dłoń.
# Gdzie jest część, trzeba wciąż odczytać z obrazu.

# %% [markdown] lang="en"
# ## Exercises
#
# Replace the `...`, run the cell, then run the check below it. The checks use fresh random inputs each time.
#
# **1. Standardise without peeking.** Bring each feature to mean 0 and standard deviation 1. A test image must be treated exactly like in
# deployment: when it comes, the other test images are not there yet. Return both sets. No feature is constant; $N$ or $N - 1$ in the deviation, both are accepted.
# %% [markdown] lang="pl"
# ## Ćwiczenia
#
# Wpisz rozwiązanie w miejsce `...`, uruchom komórkę, a potem sprawdzenie pod nią. Za każdym razem używa ono nowych losowych danych.
#
# **1. Standaryzuj bez podglądania.** Sprowadź każdą cechę do średniej 0 i odchylenia standardowego 1. Obraz testowy traktuj dokładnie tak,
# jak w prawdziwej pracy: gdy się pojawia, innych obrazów testowych jeszcze nie ma. Zwróć oba zbiory po standaryzacji. Żadna cecha nie jest stała; w odchyleniu może być $N$ albo $N - 1$.

# %% tags=["exercise"]
def standardise(train, test):
    return ..., ...


# %% [markdown] lang="en" tags=["hint"]
# Compute `train.mean(0)` and `train.std(0)` once, and use these two for both sets.
# %% [markdown] lang="pl" tags=["hint"]
# Policz raz `train.mean(0)` i `train.std(0)` i zastosuj je do obu zbiorów.

# %% tags=["check"]
check("standardise", standardise)


# %% tags=["solution"]
def standardise(train, test):
    mean, std = train.mean(0), train.std(0)
    return (train - mean) / std, (test - mean) / std


# %% [markdown] lang="en"
# **2. The gradient of the probe.** Write $\nabla_W J$ from the formula above, without autograd. You get `W` (C, D), `b` (C,), the features `z` (N, D), the
# labels `y` (N,) and the penalty `lam`; return a (C, D) tensor.
# %% [markdown] lang="pl"
# **2. Gradient sondy.** Zaprogramuj $\nabla_W J$ według wzoru powyżej, bez automatycznego różniczkowania. Dostajesz `W` (C, D), `b` (C,), cechy `z` (N, D),
# etykiety `y` (N,) i siłę kary `lam`; zwróć tensor (C, D).

# %% tags=["exercise"]
def probe_gradient(W, b, z, y, lam):
    return ...


# %% [markdown] lang="en" tags=["hint"]
# `p = (z @ W.T + b).softmax(1)` has shape (N, C). `F.one_hot(y, len(b))` gives all $e_{y_i}$ at once. The sum over $i$ of the outer products is one matrix product.
# %% [markdown] lang="pl" tags=["hint"]
# `p = (z @ W.T + b).softmax(1)` ma kształt (N, C). `F.one_hot(y, len(b))` daje naraz wszystkie $e_{y_i}$. Suma iloczynów zewnętrznych po $i$ to jedno mnożenie macierzy.

# %% tags=["check"]
check("probe_gradient", probe_gradient)


# %% tags=["solution"]
def probe_gradient(W, b, z, y, lam):
    p = (z @ W.T + b).softmax(1)
    return (p - F.one_hot(y, len(b))).T @ z + lam * W


# %% [markdown] lang="en"
# ## Quiz
# %% [markdown] lang="pl"
# ## Quiz

# %% tags=["quiz"]
quiz(
    Quiz(
        t("Why may the features be computed only once?", "Dlaczego cechy wystarczy policzyć raz?"),
        [
            (t("The network is frozen, so an image always gives the same features.",
               "Sieć jest zamrożona, więc obraz zawsze daje te same cechy."), True,
             t("Yes: neither $\\theta$ nor the image changes.", "Tak: nie zmienia się ani $\\theta$, ani obraz.")),
            (t("The probe is linear.", "Sonda jest liniowa."), False,
             t("Linear or not: what matters is that nothing *before* the probe is trained.",
               "Liniowość nie ma tu znaczenia; ważne, że nic *przed* sondą nie jest trenowane.")),
            (t("The images are small.", "Obrazy są małe."), False,
             t("Size changes how long it takes, not how often it is needed.",
               "Rozmiar decyduje o tym, jak długo to trwa, a nie o tym, ile razy trzeba to robić.")),
        ],
    ),
    Quiz(
        t("The untrained network has the same architecture, and fails. What does that show?",
          "Niewytrenowana sieć ma tę samą architekturę, a zawodzi. Czego to dowodzi?"),
        [
            (t("Convolutions are useless for boards.", "Sploty nie nadają się do płytek."), False,
             t("The pretrained network is made of the same convolutions, and works.",
               "Sieć wstępnie wytrenowana składa się z takich samych splotów i działa.")),
            (t("The architecture alone does not bring the gain; the learned weights do.",
               "Sama architektura nie daje zysku; dają go wyuczone wagi."), True,
             t("Yes: only the weights differ between the two.", "Tak: różnią się tylko wagi.")),
            (t("400 images are too few for any method.", "400 obrazów to za mało dla każdej metody."), False,
             t("With the same 400 images the pretrained network does well.",
               "Przy tych samych 400 obrazach sieć wstępnie wytrenowana radzi sobie dobrze.")),
        ],
    ),
    Quiz(
        t("A robot must grasp the part that it sees. What is wrong with averaged features?",
          "Robot ma chwycić część, którą widzi. Co jest nie tak z uśrednionymi cechami?"),
        [
            (t("They are too long.", "Są za długie."), False,
             t("A thousand numbers are no burden.", "Tysiąc liczb to żaden kłopot.")),
            (t("They cannot be standardised.", "Nie da się ich zestandaryzować."), False,
             t("The probe of this very lesson does so.", "Sonda z tej lekcji robi właśnie to.")),
            (t("They say what is there and not where.", "Mówią, co tam jest, ale nie gdzie."), True,
             t("Yes: the mean over positions has forgotten the position.",
               "Tak: uśrednianie po położeniach usuwa informację o położeniu.")),
        ],
    ),
    Quiz(
        t("You standardise the test set by its own mean. Why is this wrong?",
          "Standaryzujesz zbiór testowy za pomocą jego własnej średniej. Dlaczego to błąd?"),
        [
            (t("It uses other test images to judge one, which deployment cannot do.",
               "Ocena jednego obrazu korzysta wtedy z innych obrazów testowych, a w prawdziwej pracy ich nie ma."), True,
             t("Yes; and the features would no longer be those on which the probe was trained.",
               "Tak; co więcej, nie byłyby to już te cechy, na których sonda była trenowana.")),
            (t("A mean cannot be computed without the labels.", "Średniej nie da się policzyć bez etykiet."), False,
             t("It needs no labels; the point is whose images you may look at.",
               "Nie potrzeba do tego etykiet; chodzi o to, na czyje obrazy wolno patrzeć.")),
            (t("It is right, if the test set is large.", "To nie błąd, jeśli zbiór testowy jest duży."), False,
             t("Even then each answer would depend on images that come later.",
               "Nawet wtedy każda odpowiedź zależałaby od obrazów, które dopiero nadejdą.")),
        ],
    ),
)

# %% [markdown] lang="en"
# ## What we saw
#
# - A frozen network turns images into features; you compute them once.
# - Training a linear probe is a convex problem, solved in about a second; it weighs the features, which the neighbours cannot.
# - The gain comes from pretraining: the same network with random weights is no better than pixels.
# - Averaged features say what is there and not where; the feature map before the averaging still knows.
#
# Check these statements against the numbers of your own run:
# %% [markdown] lang="pl"
# ## Podsumowanie
#
# - Zamrożona sieć zamienia obrazy na cechy; liczysz je tylko raz.
# - Trening sondy liniowej to zadanie wypukłe, rozwiązywane w około sekundę; sonda waży cechy, czego sąsiedzi nie potrafią.
# - Zysk pochodzi z treningu wstępnego: ta sama sieć z losowymi wagami nie jest lepsza od pikseli.
# - Uśrednione cechy mówią, co tam jest, ale nie gdzie; mapa cech przed uśrednieniem wciąż to wie.
#
# Sprawdź te stwierdzenia na liczbach z własnego uruchomienia:

# %% tags=["claim"]
pretrained, untrained_runs, pixel_runs = (runs[0, :, -1] for runs in results.values())
probe_runs, neighbour_runs = results[t("pretrained network", "sieć wstępnie wytrenowana")]
claim(t("Accuracy of the probe with 800 images",
        "Dokładność sondy przy 800 obrazach"),
      accuracy, at_least=0.70)
claim(t("Lead of the pretrained network over the untrained one at 400 images, worst of five draws",
        "Przewaga sieci wstępnie wytrenowanej nad niewytrenowaną przy 400 obrazach, najgorsze z pięciu losowań"),
      (pretrained - untrained_runs).min(), at_least=0.30)
claim(t("Mean lead of the untrained network over pixels", "Średnia przewaga sieci niewytrenowanej nad pikselami"),
      (untrained_runs - pixel_runs).mean(), at_most=0.05)
claim(t("Mean lead of the probe over the neighbours", "Średnia przewaga sondy nad sąsiadami"),
      (probe_runs - neighbour_runs).mean(), at_least=0.02)
claim(t("Gain of the probe from the stem to the last features",
        "Zysk sondy od początku sieci do ostatnich cech"),
      by_depth[-1] - by_depth[0], at_least=0.30)
by_pixels, last, averaged, by_quarters = where.values()
claim(t("Accuracy of averaged features on where",
        "Dokładność uśrednionych cech w pytaniu, gdzie"),
      max(last, averaged), at_most=0.45)
claim(t("Gain from averaging by quarters",
        "Zysk z uśredniania ćwiartkami"),
      by_quarters - averaged, at_least=0.30)
claim(t("The cache is faster than the network by a factor of",
        "Pamięć podręczna jest szybsza od sieci tyle razy"),
      first / second, at_least=3, unit="×")

# %% [markdown] lang="en"
# ## Where to go next
#
# - [Lesson 02, fine-tuning](02_fine_tuning.ipynb): what if the features may change after all?
# - Donahue et al. 2014, *DeCAF: A Deep Convolutional Activation Feature for Generic Visual Recognition*, [arXiv 1310.1531](https://arxiv.org/abs/1310.1531)
# - Sharif Razavian et al. 2014, *CNN Features off-the-shelf: an Astounding Baseline for Recognition*, [arXiv 1403.6382](https://arxiv.org/abs/1403.6382)
# - Alain and Bengio 2016, *Understanding intermediate layers using linear classifier probes*, [arXiv 1610.01644](https://arxiv.org/abs/1610.01644)
# - Kornblith, Shlens and Le 2019, *Do Better ImageNet Models Transfer Better?*, [arXiv 1805.08974](https://arxiv.org/abs/1805.08974)
# %% [markdown] lang="pl"
# ## Co dalej
#
# - [Lekcja 02, dostrajanie](02_fine_tuning.ipynb): a gdyby cechy jednak mogły się zmieniać?
# - Donahue i in. 2014, *DeCAF: A Deep Convolutional Activation Feature for Generic Visual Recognition*, [arXiv 1310.1531](https://arxiv.org/abs/1310.1531)
# - Sharif Razavian i in. 2014, *CNN Features off-the-shelf: an Astounding Baseline for Recognition*, [arXiv 1403.6382](https://arxiv.org/abs/1403.6382)
# - Alain i Bengio 2016, *Understanding intermediate layers using linear classifier probes*, [arXiv 1610.01644](https://arxiv.org/abs/1610.01644)
# - Kornblith, Shlens i Le 2019, *Do Better ImageNet Models Transfer Better?*, [arXiv 1805.08974](https://arxiv.org/abs/1805.08974)
