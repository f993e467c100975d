# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   tlcourse:
#     title: {en: Prototypical networks, pl: Sieci prototypowe}
#     minutes: 60
#     seconds: 55
#     prerequisites: ["01_feature_extraction"]
# ---

# %% [markdown] lang="en"
# # Prototypical networks
#
# A new defect appears on the line, and you have five pictures of it, not five hundred. Here you train a network once, and afterwards it learns every further class from one example, without a single training step.
#
# **After this lesson you will be able to**
#
# - pose an N-way K-shot task: episodes with a support set and a query set,
# - write a prototypical network, and derive why a class is represented by its mean,
# - show that it is a linear classifier whose weights nobody trains,
# - train by episodes, and report accuracies with their intervals,
# - say when a prototype cannot stand for its class, and see it fail.
#
# **You need**: [lesson 01](01_feature_extraction.ipynb). **Time**: about an hour; the code runs in just under a minute. New words are explained in the glossary of [lesson 00](00_start.ipynb).
# %% [markdown] lang="pl"
# # Sieci prototypowe
#
# Na linii pojawia się nowa wada i masz pięć jej zdjęć, a nie pięćset. W tej lekcji wytrenujesz sieć raz, a każdej następnej klasy nauczy się ona już z jednego przykładu, bez ani jednego kroku treningu.
#
# **Po tej lekcji będziesz umieć**
#
# - postawić zadanie typu N klas po K przykładów: epizody ze zbiorem wsparcia i zbiorem zapytań,
# - napisać sieć prototypową i wyprowadzić, dlaczego klasę reprezentuje jej średnia,
# - pokazać, że to klasyfikator liniowy, którego wag nikt nie trenuje,
# - trenować epizodami i podawać dokładność razem z przedziałem ufności,
# - powiedzieć, kiedy prototyp nie może zastąpić swojej klasy, i zobaczyć, jak zawodzi.
#
# **Co trzeba umieć**: [lekcja 01](01_feature_extraction.ipynb). **Czas**: około godziny; kod wykonuje się niecałą minutę. Nowe słowa wyjaśnia słowniczek w [lekcji 00](00_start.ipynb).

# %% tags=["setup"]
from tlcourse.classroom import start_lesson, t

start_lesson("08_prototypical_networks", lang="en")

# %% tags=["imports"]
import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from ipywidgets import FloatSlider
from matplotlib.colors import ListedColormap
from scipy.optimize import minimize
from sklearn.manifold import TSNE
from torch import nn
from tqdm.auto import tqdm

from tlcourse.classroom import Prediction, Quiz, band, check, claim, explore, image_grid, mean_pm, palette, quiz, recorded, show, show_source, table
from tlcourse.data.boards import CLASSES, make_boards
from tlcourse.data.digits import load_mnist
from tlcourse.data.glyphs import HELD_OUT, glyphs
from tlcourse.feature_extraction import FeatureExtractor, linear_probe
from tlcourse.few_shot import (
    DISTANCES, EpisodeSampler, PrototypicalNetwork, class_prototypes, evaluate_episodes, prototype_classifier, squared_euclidean_distance,
)
from tlcourse.networks import conv4
from tlcourse.runtime import seed_everything
from tlcourse.training import predict

SEED = 0

# %% [markdown] lang="en"
# ## The idea
#
# Somebody shows you one letter of a script that you have never seen. A minute later you find it again on another page, in another hand. You did not learn that letter from hundreds of samples: you had learned long before, from other letters, *what changes from hand to hand and what does not*. The pen is thicker, the line slants, but the loop stays a loop.
#
# A network can learn this, too. Instead of a network that names classes we train one that **compares**: it puts images into a space in which one letter in two hands lies close together, and different letters lie far apart. A new class then costs no training at all. Its few examples are put into the space, and their mean, the **prototype**, stands for the class. A new image belongs to the nearest prototype.
#
# We train on letters of five scripts (Latin, Greek, Coptic, Cyrillic, Canadian syllabics) and test on ten others, from Armenian to Old Italic. They come from fonts: a program keeps the middle line of each stroke, and draws the letter anew for twenty **drawers**, each with a pen, a slant and a font as a model; the test has other drawers than the training. Letters of the test that are nearly equal to one of the training are left out. (The famous collection of this kind is Omniglot, Lake et al. 2015. To take it instead, put `omniglot("background", download=True)` in the place of `known`, and `omniglot("evaluation", download=True)` in that of `new`; both come from `tlcourse.data.glyphs`.)
# %% [markdown] lang="pl"
# ## Pomysł
#
# Ktoś pokazuje ci jedną literę pisma, którego nigdy nie widziałeś ani nie widziałaś. Minutę później odnajdujesz ją na innej stronie, napisaną inną ręką. Do tego nie były potrzebne setki przykładów: dużo wcześniej inne litery pokazały ci, *co zmienia się od ręki do ręki, a co nie*. Kreska jest grubsza, pismo pochylone, ale pętelka pozostaje pętelką.
#
# Tej wiedzy też można nauczyć sieć. Zamiast sieci, która nazywa klasy, trenujemy taką, która **porównuje**: umieszcza obrazy w przestrzeni, w której ta sama litera napisana dwiema rękami trafia w pobliskie punkty, a dwie różne litery w odległe. Nowa klasa nie wymaga wtedy żadnego treningu. Umieszczamy w tej przestrzeni jej nieliczne przykłady, a klasę zastępuje ich średnia, **prototyp**. Nowy obraz zaliczamy do tej klasy, której prototyp leży najbliżej. Tak wygląda uczenie na kilku przykładach (ang. *few-shot learning*).
#
# Trenujemy na literach pięciu pism (łacińskiego, greckiego, koptyjskiego, cyrylicy i sylabariusza kanadyjskiego), a sprawdzamy na dziesięciu innych, od ormiańskiego po staroitalskie. Litery bierzemy z czcionek: program zostawia z każdej kreski tylko linię biegnącą jej środkiem, a potem rysuje literę na nowo za dwudziestu **rysowników**. Każdy ma własną grubość pióra, własne pochylenie i czcionkę za wzór; w teście rysownicy są inni niż w treningu. Litery testowe niemal identyczne z treningowymi zostały usunięte. (Słynny zbiór tego rodzaju to Omniglot, Lake i in. 2015. Żeby użyć go zamiast naszych liter, wstaw `omniglot("background", download=True)` w miejsce `known`, a `omniglot("evaluation", download=True)` w miejsce `new`; jedno i drugie pochodzi z `tlcourse.data.glyphs`.)

# %%
known, new = glyphs(seed=2 * SEED), glyphs(HELD_OUT, seed=2 * SEED + 1)
table([(t("to train on", "do treningu"), len(known.names), len(set(known.scripts)), len(known.images)),
       (t("never seen", "nigdy niewidziane"), len(new.names), len(set(new.scripts)), len(new.images))],
      [t("set", "zbiór"), t("letters", "litery"), t("scripts", "pisma"), t("images", "obrazy")])

# %% [markdown] lang="en"
# A test consists of many small tasks, called **episodes**. Each draws $N$ classes, here from all ten scripts mixed, and of each class $K$ examples to learn from (the **support set**) and some others to classify (the **query set**). That is **N-way K-shot**; $K = 1$ is called one-shot learning. Here is an episode with $N = 5$, $K = 1$. The top row is all that you may learn from; below are two queries of each class, in mixed order. Which letter is each of them? (The answers stand below.)
# %% [markdown] lang="pl"
# Test to wiele małych zadań, zwanych **epizodami**. Każdy losuje $N$ klas, u nas ze wszystkich dziesięciu pism razem, a z każdej klasy $K$ przykładów do nauki (**zbiór wsparcia**, ang. *support set*) i kilka innych, na które trzeba odpowiedzieć (**zbiór zapytań**, ang. *query set*). To zadanie typu **N klas po K przykładów** (ang. *N-way K-shot*); przy $K = 1$ mówimy o uczeniu na jednym przykładzie. Oto epizod z $N = 5$ i $K = 1$. Uczyć się wolno tylko z górnego rzędu; niżej są po dwa zapytania z każdej klasy, w pomieszanej kolejności. Która to litera? (Odpowiedzi są pod spodem.)

# %%
episode = next(iter(EpisodeSampler(new.labels, n_way=5, n_support=1, n_query=2, seed=SEED)))
order = torch.randperm(10, generator=torch.Generator().manual_seed(SEED))
shown = torch.cat([episode.support, episode.query[order]])
fig = image_grid(new.images[shown], [*"ABCDE", *map(str, range(1, 11))], rows=3, row_names=[t("support", "wsparcie"), t("queries", "zapytania"), ""], size=1.1)
show(fig, alt=t("Five letters A to E of scripts never seen, one example each, and below them ten queries in mixed order: the same letters by other drawers.",
                "Pięć liter od A do E z nieznanych pism, po jednym przykładzie, a niżej dziesięć zapytań w pomieszanej kolejności: te same litery narysowane przez innych rysowników."))
print(t("Answers:", "Odpowiedzi:"), *(f"{i}{'ABCDE'[label]}" for i, label in enumerate(episode.query_labels[order], 1)))

# %% [markdown] lang="en"
# The simplest answer needs no network: compare the pixels themselves. The features of an image are its 784 numbers, the prototype is the mean picture of the support, and the nearest one wins. Six hundred episodes of scripts never seen, with ten queries a class:
# %% [markdown] lang="pl"
# Najprostsza odpowiedź nie wymaga sieci: porównać same piksele. Cechy obrazu to jego 784 liczby, prototyp to średni obraz ze zbioru wsparcia, wygrywa najbliższy. Sześćset epizodów z pism nigdy niewidzianych, po dziesięć zapytań na klasę:

# %%
nearest_prototype = PrototypicalNetwork(nn.Identity())
TASKS = {t(f"{n}-way {k}-shot", f"{n} klas po {k}"): (n, k) for n in (5, 20) for k in (1, 5)}


def accuracy(features, n_way, n_support):
    return evaluate_episodes(nearest_prototype, features, EpisodeSampler(new.labels, n_way, n_support, n_query=10, seed=SEED))


pixels = new.images.flatten(1) / 255
scores = {t("pixels", "piksele"): [accuracy(pixels, *task) for task in TASKS.values()]}
table([(name, *(f"{s.mean:.3f} ± {s.interval:.3f}" for s in row)) for name, row in scores.items()], [t("features", "cechy"), *TASKS])

# %% [markdown] lang="en"
# Behind ± is half the width of a 95 % interval for the mean over episodes. It covers the draw of the episodes only: an encoder trained from another seed would give another result still. One episode says little, it may be easy or hard; so few-shot results are always reported over hundreds of them.
#
# ## The mathematics
#
# Let $f_\theta$ be the encoder, $z = f_\theta(x) \in \mathbb{R}^D$ the features of an image $x$, $S_k$ the support examples of class $k$, and $d$ a distance. A prototypical network (Snell et al. 2017, [arXiv 1703.05175](https://arxiv.org/abs/1703.05175)) is three lines:
#
# $$c_k = \frac{1}{|S_k|} \sum_{x \in S_k} f_\theta(x), \qquad p_\theta(y = k \mid x) = \frac{e^{-d(f_\theta(x),\, c_k)}}{\sum_{j} e^{-d(f_\theta(x),\, c_j)}}, \qquad L(\theta) = -\log p_\theta(y \mid x),$$
#
# where $y$ is the class of the query $x$, and the loss is averaged over all queries. It is the familiar cross-entropy, with $-d$ in place of the logits. What the classes are *called* appears nowhere: the next episode has other classes, and the same $\theta$ must serve it. What is learned is a space, not a list of classes, and with it a distance between images: **metric learning**. For $d$ we take the **squared** Euclidean distance, $d(z, c) = \lVert z - c \rVert^2$. (Unsquared is a common mistake; the argument below would no longer hold.)
# %% [markdown] lang="pl"
# Za znakiem ± stoi połowa szerokości przedziału ufności 95 % dla średniej po epizodach. Obejmuje on tylko losowanie epizodów: enkoder wytrenowany z innego ziarna dałby jeszcze inny wynik. Jeden epizod mówi niewiele, bo bywa łatwy albo trudny; dlatego wyniki uczenia na kilku przykładach podaje się zawsze dla setek epizodów.
#
# ## Matematyka
#
# Niech $f_\theta$ będzie enkoderem, $z = f_\theta(x) \in \mathbb{R}^D$ cechami obrazu $x$, $S_k$ przykładami klasy $k$ ze zbioru wsparcia, a $d$ odległością. Sieć prototypowa (Snell i in. 2017, [arXiv 1703.05175](https://arxiv.org/abs/1703.05175)) to trzy wzory:
#
# $$c_k = \frac{1}{|S_k|} \sum_{x \in S_k} f_\theta(x), \qquad p_\theta(y = k \mid x) = \frac{e^{-d(f_\theta(x),\, c_k)}}{\sum_{j} e^{-d(f_\theta(x),\, c_j)}}, \qquad L(\theta) = -\log p_\theta(y \mid x),$$
#
# przy czym $y$ to klasa zapytania $x$, a stratę uśredniamy po wszystkich zapytaniach. To dobrze znana entropia krzyżowa, tylko na miejscu logitów stoi $-d$. Nigdzie nie ma *nazw* klas: następny epizod ma inne klasy, a musi go obsłużyć to samo $\theta$. Sieć uczy się przestrzeni, a nie listy klas, i tym samym odległości między obrazami: to **uczenie metryki** (ang. *metric learning*). Za $d$ bierzemy **kwadrat** odległości euklidesowej, $d(z, c) = \lVert z - c \rVert^2$. (Brak kwadratu to częsty błąd; rozumowanie poniżej przestaje wtedy działać.)

# %%
show_source(class_prototypes, squared_euclidean_distance, PrototypicalNetwork._by_labels)

# %% [markdown] lang="en"
# `unique` numbers the classes from 0, so the labels may be any integers in any order; `index_add` adds each feature vector to the row of its class. The distances are computed as $\lVert x \rVert^2 - 2\langle x, y \rangle + \lVert y \rVert^2$, with one product of matrices: all differences $z_i - c_j$ of 2,000 queries and 100 classes with 512 features would be 100 million numbers. Subtracting `centre` changes no distance, but loses less to rounding; `clamp` removes the tiny negative numbers that are left. `scale` is 1 here. Support and query pass through the encoder together, so that batch normalisation sees one batch in training; in the test it uses its running averages, and each image is encoded by itself.
#
# **Why the mean?** Is there no better representative of a class, such as a median? Better means: with a smaller sum of distances to the examples. Take any strictly convex, differentiable function $\varphi$. Its **Bregman divergence** says how far, at the point $z$, $\varphi$ lies above its tangent at $c$:
#
# $$d_\varphi(z, c) = \varphi(z) - \varphi(c) - \langle \nabla\varphi(c),\, z - c \rangle \;\ge\; 0 .$$
#
# $\varphi(z) = \lVert z \rVert^2$ gives $\lVert z - c \rVert^2$; $\varphi(z) = \sum_j z_j \log z_j$ gives the Kullback–Leibler divergence, $\sum_j \left( z_j \log (z_j / c_j) - z_j + c_j \right)$ (the last two terms cancel when the numbers sum to 1). Let $z_1, \dots, z_n$ be the examples of a class and $\bar z$ their mean. How much worse than the mean is another point $c$? From the sum of $d_\varphi(z_i, c)$ subtract that of $d_\varphi(z_i, \bar z)$. The terms $\varphi(z_i)$ cancel, $\sum_i \langle \nabla\varphi(\bar z), z_i - \bar z \rangle = 0$, and $\sum_i \langle \nabla\varphi(c), z_i - c \rangle = n \langle \nabla\varphi(c), \bar z - c \rangle$, so that
#
# $$\sum_{i=1}^n d_\varphi(z_i, c) - \sum_{i=1}^n d_\varphi(z_i, \bar z) = n \left[ \varphi(\bar z) - \varphi(c) - \langle \nabla\varphi(c),\, \bar z - c \rangle \right] = n\, d_\varphi(\bar z, c) \;\ge\; 0 .$$
#
# The mean is the best single representative for *every* Bregman divergence (Banerjee et al. 2005, JMLR 6), and, as $\varphi$ is strictly convex, the only best one. For other distances it is another point, in general. Let an optimiser (Nelder–Mead, which needs no gradients) look for the best point, and see how far from the mean it ends:
# %% [markdown] lang="pl"
# `unique` numeruje klasy od 0, więc etykiety mogą być dowolnymi liczbami całkowitymi w dowolnej kolejności; `index_add` dodaje każdy wektor cech do wiersza jego klasy. Odległości liczymy jako $\lVert x \rVert^2 - 2\langle x, y \rangle + \lVert y \rVert^2$, jednym mnożeniem macierzy: tablica wszystkich różnic $z_i - c_j$ dla 2000 zapytań, 100 klas i 512 cech miałaby 100 milionów liczb. Odjęcie `centre` nie zmienia odległości, a zmniejsza błędy zaokrągleń; `clamp` usuwa maleńkie liczby ujemne, które po nich zostają. `scale` równa się tu 1. Wsparcie i zapytania przechodzą przez enkoder razem, żeby w treningu normalizacja wsadowa (ang. *batch normalization*) widziała jedną paczkę (ang. *batch*); w teście używa średnich kroczących i każdy obraz jest kodowany osobno.
#
# **Dlaczego średnia?** Czy klasa nie ma lepszego przedstawiciela, na przykład mediany? Lepszego, czyli o mniejszej sumie odległości od przykładów klasy. Weź dowolną funkcję $\varphi$, ściśle wypukłą i różniczkowalną. Jej **dywergencja Bregmana** mówi, o ile w punkcie $z$ funkcja $\varphi$ leży nad swoją styczną w punkcie $c$:
#
# $$d_\varphi(z, c) = \varphi(z) - \varphi(c) - \langle \nabla\varphi(c),\, z - c \rangle \;\ge\; 0 .$$
#
# Dla $\varphi(z) = \lVert z \rVert^2$ jest to $\lVert z - c \rVert^2$; dla $\varphi(z) = \sum_j z_j \log z_j$ jest to dywergencja Kullbacka–Leiblera, $\sum_j \left( z_j \log (z_j / c_j) - z_j + c_j \right)$ (dwa ostatnie składniki znoszą się, gdy liczby sumują się do 1). Niech $z_1, \dots, z_n$ będą przykładami klasy, a $\bar z$ ich średnią. O ile gorszy od średniej jest inny punkt $c$? Od sumy $d_\varphi(z_i, c)$ odejmij sumę $d_\varphi(z_i, \bar z)$. Składniki $\varphi(z_i)$ się znoszą, $\sum_i \langle \nabla\varphi(\bar z), z_i - \bar z \rangle = 0$, a $\sum_i \langle \nabla\varphi(c), z_i - c \rangle = n \langle \nabla\varphi(c), \bar z - c \rangle$, więc
#
# $$\sum_{i=1}^n d_\varphi(z_i, c) - \sum_{i=1}^n d_\varphi(z_i, \bar z) = n \left[ \varphi(\bar z) - \varphi(c) - \langle \nabla\varphi(c),\, \bar z - c \rangle \right] = n\, d_\varphi(\bar z, c) \;\ge\; 0 .$$
#
# Średnia jest najlepszym pojedynczym przedstawicielem dla *każdej* dywergencji Bregmana (Banerjee i in. 2005, JMLR 6), a że $\varphi$ jest ściśle wypukła, także jedynym najlepszym. Dla innych odległości jest nim na ogół inny punkt. Niech optymalizator (metoda Neldera–Meada, która nie wymaga gradientów) poszuka najlepszego punktu; zobacz, jak daleko od średniej skończy:

# %%
points = torch.rand(7, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(SEED)) + 0.5
candidates = {t("Euclidean, squared", "euklidesowa, kwadrat"): lambda z, c: (z - c).square().sum(),
              "Kullback–Leibler": lambda z, c: (z * (z / c).log() - z + c).sum(),
              t("Euclidean, not squared", "euklidesowa, bez kwadratu"): lambda z, c: (z - c).norm(dim=1).sum()}
best = [minimize(lambda c, d=d: d(points, torch.tensor(c)).item(), [1, 1], method="Nelder-Mead", options={"xatol": 1e-8}).x for d in candidates.values()]
offsets = {name: np.linalg.norm(point - points.mean(0).numpy()) for name, point in zip(candidates, best)}
table([(name, f"{offset:.4f}") for name, offset in offsets.items()], [t("distance", "odległość"), t("from the best point to the mean", "od najlepszego punktu do średniej")])

# %% [markdown] lang="en"
# For the first two the best point *is* the mean; without the square it is another one, the geometric median.
#
# **A linear classifier in disguise.** Expand the square: $-\lVert z - c_k \rVert^2 = 2 \langle c_k, z \rangle - \lVert c_k \rVert^2 - \lVert z \rVert^2$. The last term is the same for every class, so the softmax does not see it. What is left is a linear layer,
#
# $$\text{logit}_k = \langle w_k, z \rangle + b_k, \qquad w_k = 2 c_k, \qquad b_k = -\lVert c_k \rVert^2,$$
#
# a linear probe as in lesson 01, but one whose weights are *read off* the examples instead of trained. (When does it fit best? The softmax above is exactly the probability of each class if the classes are equally likely and each is a normal cloud round $c_k$ with covariance $\tfrac12 I$. One class, one round cloud: that is what a prototype assumes.) So all that is not linear has to be done by the encoder; hold on to this for the section on failure. A check on the pixels of the episode above, once by distances and once by the linear layer:
# %% [markdown] lang="pl"
# W dwóch pierwszych przypadkach najlepszy punkt *jest* średnią; bez kwadratu jest nim inny punkt, mediana geometryczna.
#
# **Klasyfikator liniowy w przebraniu.** Rozwiń kwadrat: $-\lVert z - c_k \rVert^2 = 2 \langle c_k, z \rangle - \lVert c_k \rVert^2 - \lVert z \rVert^2$. Ostatni składnik jest dla wszystkich klas ten sam, więc softmax go nie widzi. Zostaje warstwa liniowa,
#
# $$\text{logit}_k = \langle w_k, z \rangle + b_k, \qquad w_k = 2 c_k, \qquad b_k = -\lVert c_k \rVert^2,$$
#
# czyli sonda liniowa (ang. *linear probe*) jak w lekcji 01, ale jej wagi *odczytujemy* z przykładów, zamiast je trenować. (Kiedy pasuje najlepiej? Softmax powyżej jest dokładnie prawdopodobieństwem klas, gdy są one równie częste, a każda jest normalną chmurą wokół $c_k$ o kowariancji $\tfrac12 I$. Jedna klasa, jedna okrągła chmura: to zakłada prototyp.) Wszystko, co nieliniowe, musi więc zrobić enkoder; zapamiętaj to do części o tym, kiedy metoda zawodzi. Sprawdzenie na pikselach epizodu z początku lekcji, raz z odległości, raz z warstwy liniowej:

# %%
support, query = pixels[episode.support], pixels[episode.query]
by_distance = nearest_prototype(support, episode.support_labels, query).exp()
by_layer = prototype_classifier(class_prototypes(support, episode.support_labels)[0])(query).softmax(1)
print(t("largest difference in any probability: {:.0e}", "największa różnica prawdopodobieństw: {:.0e}").format((by_distance - by_layer).abs().max()))

# %% [markdown] lang="en"
# ## The experiment
#
# The encoder has four blocks (convolution, batch normalisation, ReLU, and 2 × 2 max-pooling); from 28 × 28 pixels it makes 32 features. It is trained by episodes like the hardest of the test: 20 classes, one example and five queries of each, 400 episodes in all. Then it meets scripts that it has never seen. Nothing is trained there: support images go in, means come out.
# %% [markdown] lang="pl"
# ## Eksperyment
#
# Enkoder ma cztery bloki (warstwa splotowa, normalizacja wsadowa, ReLU i maksimum z każdego kwadratu 2 × 2); z 28 × 28 pikseli robi 32 cechy. Trenujemy go epizodami takimi jak najtrudniejsze w teście: 20 klas po jednym przykładzie i po pięć zapytań na klasę, w sumie 400 epizodów. Potem dostaje pisma, których nigdy nie widział. Tam niczego się już nie trenuje: wchodzą obrazy ze zbioru wsparcia, wychodzą średnie.

# %% tags=["predict"]
guess = Prediction(
    t("Pixels got {:.0f} % in 5-way 1-shot on scripts never seen. What will the trained encoder get?", "Piksele dały {:.0f} % przy 5 klasach po 1 przykładzie z nigdy niewidzianych pism. Ile da wytrenowany enkoder?").format(
        100 * scores[t("pixels", "piksele")][0].mean),
    low=50, high=100, unit="%",
)
guess

# %%
seed_everything(SEED)
model = PrototypicalNetwork(conv4(32))
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
scheduler = torch.optim.lr_scheduler.PolynomialLR(optimizer, 400)  # falls linearly to 0
for drawn in tqdm(EpisodeSampler(known.labels, n_way=20, n_support=1, n_query=5, episodes=400, seed=SEED), leave=False):
    log_p = model(known.images[drawn.support], drawn.support_labels, known.images[drawn.query])
    loss = F.nll_loss(log_p, drawn.query_labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()

# %%
words = {"pixels": t("pixels", "piksele"), "untrained": t("untrained encoder", "niewytrenowany enkoder"),
         "classifier": t("a classifier's features", "cechy klasyfikatora"), "prototypes": t("prototypical network", "sieć prototypowa")}
features = predict(model.encoder, new.images, batch_size=500)
scores[words["prototypes"]] = [accuracy(features, *task) for task in TASKS.values()]
table([(name, *(f"{s.mean:.3f} ± {s.interval:.3f}" for s in row)) for name, row in scores.items()], [t("features", "cechy"), *TASKS])
guess.compare(100 * scores[words["prototypes"]][0].mean)

# %% [markdown] lang="en"
# One example of each of five letters of unknown scripts is enough, and nearly every query finds its letter. With twenty classes and one example, where guessing gives 5 %, the gap to the pixels is largest.
#
# What has changed in space? Eight unseen letters, 20 drawers each, drawn in two dimensions by t-SNE (neighbours stay neighbours; the axes and the gaps between groups mean nothing). In pixels some drawings have neighbours of another letter; in the features nearly every one lies among drawings of its own:
# %% [markdown] lang="pl"
# Wystarczy po jednym przykładzie każdej z pięciu liter nieznanych pism, a prawie każde zapytanie trafia do swojej litery. Przy dwudziestu klasach po jednym przykładzie, gdzie zgadywanie daje 5 %, przewaga nad pikselami jest największa.
#
# Co zmieniło się w przestrzeni? Osiem nieznanych liter, każda od 20 rysowników, w dwóch wymiarach według t-SNE (sąsiedzi pozostają sąsiadami; osie i odstępy między grupami nic nie znaczą). W pikselach niektóre rysunki sąsiadują z inną literą; w cechach prawie każdy leży wśród rysunków swojej:

# %%
letters = np.random.default_rng(SEED).choice(len(new.names), 8, replace=False)
part = torch.isin(new.labels, torch.tensor(letters))
fig, axes = plt.subplots(1, 2, figsize=(9.5, 4.2))
for ax, z, title in zip(axes, (pixels, features), (words["pixels"], words["prototypes"])):
    places = TSNE(init="pca", perplexity=15, random_state=SEED).fit_transform(z[part].numpy())
    for number, letter in enumerate(letters):
        own = places[(new.labels[part] == letter).numpy()]
        ax.scatter(*own.T, s=25, alpha=0.5, color=plt.cm.tab10(number))
        ax.text(*np.median(own, 0), new.names[letter], fontsize=16, ha="center", va="center")
    ax.set(title=title, xticks=[], yticks=[])
show(fig, alt=t("Left, pixels: the eight letters lie partly mixed. Right, the trained encoder's features: the letters lie in tight groups apart from each other.",
                "Po lewej piksele: osiem liter jest częściowo wymieszanych. Po prawej cechy wytrenowanego enkodera: litery leżą w zwartych, oddzielnych grupach."))

# %% [markdown] lang="en"
# ### Ten seeds, and two harder tests
#
# The recorded runs add a rival: the same encoder trained with a linear head as an ordinary **classifier** of all the training letters. It sees about as many images, and then its head is thrown away. There are also two harder tests. In **one script**, all five letters of an episode come from the same script: letters of one alphabet are more alike than those of different ones. The **digits** are MNIST's: people wrote them, and the encoder has never seen a person's writing. From here on ± and bands are 95 % intervals for the mean over seeds: each time other drawers, another start of the network and other episodes, and 500 of them in training.
# %% [markdown] lang="pl"
# ### Dziesięć ziaren losowości i dwa trudniejsze sprawdziany
#
# W zapisanych przebiegach dochodzi rywal: taki sam enkoder, wytrenowany z głowicą (ang. *head*) jako zwykły **klasyfikator** wszystkich liter treningowych. Głowicę potem odcięto, a obrazów obejrzał mniej więcej tyle samo. Dochodzą też dwa trudniejsze sprawdziany. W **jednym piśmie** wszystkie pięć liter epizodu pochodzi z tego samego pisma: litery jednego alfabetu są do siebie bardziej podobne niż litery różnych. **Cyfry** to MNIST: pisali je ludzie, a enkoder nigdy nie widział ludzkiego pisma. Odtąd ± i pasma to przedział ufności 95 % dla średniej po ziarnach: za każdym razem inni rysownicy, inny start sieci i inne epizody, w treningu 500.

# %%
record = recorded("few_shot")
measured = record.results["methods"]
ways, shots = measured["ways"], measured["shots"]
grid, harder, digit_scores = ({name: np.array([run[kind] for run in runs]) for name, runs in measured["runs"].items()}
                              for kind in ("scripts", "one script", "digits"))


def cell(name, n, k):
    return grid[name][:, ways.index(n), shots.index(k)]


record.note()
table([(words[name], *(mean_pm(cell(name, *task)) for task in TASKS.values())) for name in words], [t("features", "cechy"), *TASKS])
table([(words[name], *(mean_pm(kind[name][:, column]) for kind in (harder, digit_scores) for column in (0, 1))) for name in words],
      [t("5 classes", "5 klas"), t("one script, K = 1", "jedno pismo, K = 1"), t("one script, K = 5", "jedno pismo, K = 5"), t("digits, K = 1", "cyfry, K = 1"), t("digits, K = 5", "cyfry, K = 5")])

# %% [markdown] lang="en"
# Trained by episodes, the encoder leads in every column. An untrained one is *worse* than the pixels: it throws away information at random. Now look at the rival: **a plain classifier's features come close**, and prototypes on top of them beat the pixels by far. (We compare them by the same distance, for which they were not even trained.) Chen et al. 2019 ([arXiv 1904.04232](https://arxiv.org/abs/1904.04232)), who trained a new layer for new classes on frozen features, came to a similar conclusion on photographs: much of what is credited to episodes comes with any good representation. The lead over the classifier is larger where the test is harder, with twenty classes and on the digits.
#
# Within one script every method does worse; mixed scripts flatter them all. Always ask which of the two was measured. (For scale: in a harder version, 20-way 1-shot within one alphabet of Omniglot, people erred in 4.5 % of the cases, Lake et al. 2015.) And on the digits an encoder that never saw handwriting classifies most queries rightly from one example of each digit.
#
# **What the paper reports** (Snell et al. 2017, table 1, Omniglot): 98.8 % and 99.7 % in 5-way 1- and 5-shot, 96.0 % and 98.9 % in 20-way. Their encoder has 64 channels, not 32, and was trained much longer, with 60 classes in an episode, on 1,200 characters; each of them, turned by 90, 180 and 270 degrees, gave three more classes. The classes of an episode are drawn from all alphabets mixed. They found it best to train with *more* classes in an episode than in the test, and with as many shots. (We train with $K = 1$, also for the test with $K = 5$.)
#
# What does the variety of letters bring? As many training steps each time, but with 20, 100, 300 and all letters (five seeds). Each letter has twenty drawings, so with 20 letters the network sees the same 400 again and again:
# %% [markdown] lang="pl"
# Enkoder trenowany epizodami prowadzi w każdej kolumnie. Niewytrenowany jest *gorszy* od pikseli: wyrzuca część informacji na chybił trafił. A teraz spójrz na rywala: **cechy zwykłego klasyfikatora są niewiele gorsze**, a prototypy z nich są o wiele lepsze niż z pikseli. (Porównujemy je tą samą odległością, do której nikt ich nie trenował.) Do podobnego wniosku doszli na fotografiach Chen i in. 2019 ([arXiv 1904.04232](https://arxiv.org/abs/1904.04232)), którzy na zamrożonych cechach trenowali dla nowych klas nową warstwę: wiele z tego, co przypisuje się epizodom, daje już dobra reprezentacja. Przewaga nad klasyfikatorem rośnie tam, gdzie sprawdzian jest trudniejszy: przy dwudziestu klasach i na cyfrach.
#
# W jednym piśmie każdej metodzie jest trudniej; wymieszane pisma zawyżają wszystkie wyniki. Zawsze pytaj, który wariant zmierzono. (Dla porównania: w trudniejszym wariancie, 20 klas po 1 przykładzie z jednego alfabetu Omniglota, ludzie mylili się w 4,5 % przypadków, Lake i in. 2015.) A na cyfrach enkoder, który nigdy nie widział pisma ręcznego, z jednego przykładu każdej rozpoznaje poprawnie większość zapytań.
#
# **Co podaje artykuł** (Snell i in. 2017, tabela 1, Omniglot): 98,8 % i 99,7 % przy 5 klasach po 1 i po 5 przykładów, 96,0 % i 98,9 % przy 20 klasach. Ich enkoder ma 64 kanały, a nie 32, i był trenowany znacznie dłużej, z 60 klasami w epizodzie, na 1200 znakach; każdy z nich, obrócony o 90, 180 i 270 stopni, dawał jeszcze trzy osobne klasy. Klasy epizodu losowali ze wszystkich alfabetów razem. Najlepiej wypadł trening z *większą* liczbą klas w epizodzie niż w teście i z taką samą liczbą przykładów. (My trenujemy przy $K = 1$ także do testu z $K = 5$.)
#
# Ile daje różnorodność liter? Za każdym razem tyle samo kroków treningu, ale 20, 100, 300 i wszystkie litery (pięć ziaren). Każda litera ma dwadzieścia rysunków, więc przy 20 literach sieć ogląda w kółko te same 400:

# %%
fewer = record.results["characters"]
counts = [*fewer["characters"], len(known.names)]
by_letters = np.column_stack([*fewer["accuracy"], cell("prototypes", 5, 1)[[record.seeds.index(seed) for seed in fewer["seeds"]]]])
fig, ax = plt.subplots(figsize=(7, 3.2))
band(ax, counts, by_letters, words["prototypes"], "blue", marker="o")
ax.axhline(cell("pixels", 5, 1).mean(), linestyle=":", color="black", label=words["pixels"])
ax.set(xscale="log", xticks=counts, xticklabels=counts, ylim=(0.6, 1),
       xlabel=t("letters in training", "liczba liter w treningu"), ylabel=t("accuracy, 5-way 1-shot", "dokładność, 5 klas po 1"))
ax.minorticks_off()
ax.legend(loc="lower right")
show(fig, alt=t("Accuracy against the number of training letters: it rises from 20 letters to all of them.",
                "Dokładność w zależności od liczby liter w treningu: rośnie od 20 liter do wszystkich."))

# %% [markdown] lang="en"
# The more letters in training, the better it does on new ones. (The number of different drawings grows with the letters, so the figure does not tell the two apart.) One reason is likely: for the encoder a class is what an image is for a classifier, one example.
#
# ### Explore
#
# First the space itself. The figure shows three classes in a plane: dots are support examples, crosses are prototypes, and the shading is the region that each prototype claims. The sliders $x$ and $y$ move one example of the first class (blue, with a black rim); change $K$ and the distance, too. How far can one odd example drag a region when $K = 1$, and how far when $K = 5$? What do the borders look like for each distance?
# %% [markdown] lang="pl"
# Im więcej liter w treningu, tym lepiej sieć radzi sobie z nowymi. (Razem z liczbą liter rośnie tu liczba różnych rysunków, więc wykres nie rozdziela jednego od drugiego.) Jeden powód jest prawdopodobny: dla enkodera klasa jest tym, czym dla klasyfikatora obraz, jednym przykładem.
#
# ### Zbadaj
#
# Najpierw sama przestrzeń. Trzy klasy na płaszczyźnie: kółka to zbiór wsparcia, krzyżyki to prototypy, a kolory to obszary, które do nich należą. Suwakami $x$ i $y$ przesuwasz jeden przykład pierwszej klasy (niebieskiej, z czarną obwódką); zmieniaj też $K$ i odległość. Jak daleko jeden nietypowy przykład przeciągnie granice przy $K = 1$, a jak daleko przy $K = 5$? Jak wyglądają granice dla każdej z odległości?

# %% tags=["widget"]
axis = torch.linspace(-4, 4, 121)
plane = torch.cartesian_prod(axis, axis)
clouds = torch.tensor([[-1.5, 1.0], [1.5, 1.5], [0.5, -2.0]])[:, None] + 0.5 * torch.randn(3, 5, 2, generator=torch.Generator().manual_seed(SEED))
measures = {t("Euclidean, squared", "euklidesowa, kwadrat"): "euclidean", t("cosine", "cosinusowa"): "cosine"}


def draw(x, y, shots, distance):
    chosen = clouds[:, :shots].clone()
    chosen[0, 0] = torch.tensor([x, y])
    prototypes = chosen.mean(1)
    regions = DISTANCES[measures[distance]](plane, prototypes).argmin(1).view(121, 121).T
    fig, ax = plt.subplots(figsize=(5, 4.6))
    colours = [palette(name) for name in ("blue", "orange", "green")]
    ax.imshow(regions, origin="lower", extent=(-4, 4, -4, 4), cmap=ListedColormap(colours), vmin=0, vmax=2, alpha=0.25)
    for points, prototype, colour in zip(chosen, prototypes, colours):
        ax.plot(*points.T, "o", color=colour, markersize=7)
        ax.plot(*prototype, "X", color=colour, markersize=14, markeredgecolor="white")
    ax.plot(x, y, "o", color=colours[0], markersize=9, markeredgecolor="black", markeredgewidth=2)
    ax.set(xlim=(-4, 4), ylim=(-4, 4), aspect="equal", xlabel=t("feature 1", "cecha 1"), ylabel=t("feature 2", "cecha 2"))
    share = (regions == 0).float().mean()
    return fig, t(f"K = {shots}, {distance} distance: the first class claims {share:.0%} of the area shown.",
                  f"K = {shots}, odległość {distance}: do pierwszej klasy należy {100 * share:.0f} % pokazanego obszaru.")


plane_explorer = explore(draw, x=FloatSlider(-1.5, min=-4, max=4, step=0.5), y=FloatSlider(1, min=-4, max=4, step=0.5), shots=[1, 2, 5], distance=list(measures),
                         labels={"x": "x", "y": "y", "shots": "K", "distance": t("distance", "odległość")})
plane_explorer

# %% [markdown] lang="en"
# The prototype follows the example by $1/K$ of its way. With the squared distance the border of any two classes lies on a straight line, as for every linear classifier; with the cosine the borders are rays from the origin, for it looks at directions only.
#
# Now the measured accuracy, over ten seeds, for every $N$ and $K$. Do five or ten examples make up for the lack of training?
# %% [markdown] lang="pl"
# Prototyp idzie za przykładem o $1/K$ jego drogi. Przy kwadracie odległości granica każdych dwóch klas leży na prostej, jak w każdym klasyfikatorze liniowym; przy cosinusie granice to półproste z początku układu, bo liczy się tylko kierunek.
#
# Teraz zmierzona dokładność, z dziesięciu ziaren, dla każdego $N$ i $K$. Czy pięć albo dziesięć przykładów nadrabia brak treningu?

# %% tags=["widget"]
looks = {"prototypes": ("blue", "o"), "classifier": ("orange", "s"), "pixels": ("grey", "^"), "untrained": ("red", "v")}


def draw_measured(n, k):
    fig, ax = plt.subplots(figsize=(7, 3.6))
    for name, (colour, mark) in looks.items():
        band(ax, shots, grid[name][:, ways.index(n)], words[name], colour, marker=mark)
    ax.axhline(1 / n, linestyle=":", color="black", label=t("guessing", "zgadywanie"))
    ax.axvline(k, color="black", linewidth=0.8)
    ax.set(xlabel=t("K, examples of each class", "K, liczba przykładów każdej klasy"), ylabel=t("accuracy"), ylim=(1 / n - 0.05, 1.01), xticks=shots)
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    values = "; ".join(f"{words[name]} {cell(name, n, k).mean():.2f}" for name in looks)
    ax.set_title(f"N = {n}, K = {k}")
    return fig, t(f"N = {n}, K = {k}, accuracy: {values}.", f"N = {n}, K = {k}, dokładność: {values}.")


explorer = explore(draw_measured, n=ways, k=shots, labels={"n": "N", "k": "K"})
explorer

# %% [markdown] lang="en"
# They do not: pixels with ten examples stay behind the prototypical network with one.
#
# ## When it fails
#
# One prototype stands for one cloud of points. What if a class is not one cloud? *Even* and *odd* digits are perfectly sensible classes, but the even ones are five clouds, and their mean lies somewhere in the middle, perhaps nearest to a cloud of the odd ones. The classifier is linear, and its weights follow from the means alone; more examples only pin these means down more exactly, they do not move them to a better place. The rule of the **nearest neighbour** compares a query with each support example by itself and forms no means, so several clouds in a class do not trouble it.
# %% [markdown] lang="pl"
# Nie nadrabia: piksele nawet przy dziesięciu przykładach przegrywają z siecią prototypową, która dostała jeden.
#
# ## Kiedy to zawodzi
#
# Jeden prototyp zastępuje jedną chmurę punktów. A jeśli klasa nie jest jedną chmurą? Cyfry *parzyste* i *nieparzyste* to zupełnie rozsądne klasy, ale parzyste tworzą pięć chmur, a ich średnia leży gdzieś pośrodku, może najbliżej którejś chmury nieparzystych. Klasyfikator jest liniowy, a jego wagi wyznaczają same średnie; dodatkowe przykłady tylko dokładniej wyznaczą te średnie, ale ich nie przesuną w lepsze miejsce. Reguła **najbliższego sąsiada** porównuje zapytanie z każdym przykładem wsparcia z osobna i nie liczy średnich, więc kilka chmur w jednej klasie jej nie przeszkadza.

# %% tags=["predict"]
guess = Prediction(
    t("Even or odd, with 30 examples of each: what is better?", "Parzysta czy nieparzysta, po 30 przykładów: co jest lepsze?"),
    [t("prototypes, by 5 points or more", "prototypy, o co najmniej 5 pkt proc."), t("about equal", "mniej więcej remis"), t("the nearest neighbour, by 5 points or more", "najbliższy sąsiad, o co najmniej 5 pkt proc.")],
)
guess

# %%
def nearest_neighbour(support, labels, query):
    nearest = squared_euclidean_distance(query, support).argmin(1)
    return F.one_hot(labels[nearest], int(labels.max()) + 1)


digits, digit_labels = load_mnist()
digit_features = predict(model.encoder, digits, batch_size=500)
rules = {t("prototypes", "prototypy"): nearest_prototype, t("nearest neighbour", "najbliższy sąsiad"): nearest_neighbour}
examples = [1, 5, 10, 30]


def curve(rule, labels, n_way):
    samplers = (EpisodeSampler(labels, n_way, k, n_query=10, episodes=150, seed=SEED) for k in examples)
    return [evaluate_episodes(rule, digit_features, sampler).mean for sampler in samplers]


tasks = {t("which of five digits?", "która z pięciu cyfr?"): (digit_labels, 5), t("even or odd?", "parzysta czy nieparzysta?"): (digit_labels % 2, 2)}
curves = {task: {name: curve(rule, *given) for name, rule in rules.items()} for task, given in tasks.items()}
gap = np.subtract(*(curves[list(tasks)[1]][name][-1] for name in rules))
guess.compare(0 if gap >= 0.05 else 2 if gap <= -0.05 else 1)

# %%
fig, axes = plt.subplots(1, 2, figsize=(9, 3.3), sharey=True)
for ax, (task, (_, n_way)) in zip(axes, tasks.items()):
    for (name, values), colour, mark in zip(curves[task].items(), ("blue", "orange"), "os"):
        ax.plot(examples, values, marker=mark, color=palette(colour), label=name)
    ax.axhline(1 / n_way, linestyle=":", color="black", label=t("guessing", "zgadywanie"))
    ax.set(title=task, xscale="log", xticks=examples, xticklabels=examples, xlabel=t("K, examples of each class", "K, liczba przykładów każdej klasy"), ylim=(0, 1.02))
    ax.minorticks_off()
axes[0].set_ylabel(t("accuracy on digits", "dokładność na cyfrach"))
axes[0].legend(loc="center right")
show(fig, alt=t("Left, which of five digits: the accuracies of prototypes and nearest neighbour rise together. Right, even or odd: as the examples grow, prototypes fall behind the nearest neighbour.",
                "Po lewej rozpoznawanie jednej z pięciu cyfr: dokładność prototypów i najbliższego sąsiada rośnie razem. Po prawej parzysta czy nieparzysta: gdy przykładów przybywa, prototypy zostają w tyle za najbliższym sąsiadem."))

# %% [markdown] lang="en"
# The features are the same, the digits are the same; only the classes have changed. (With one example of each class the two rules agree.) Where a class is nearly one cloud (left), prototypes keep up with the nearest neighbour. Where it is several (right), they fall further behind as the examples grow in number. Several prototypes for a class would help, too (Allen et al. 2019, [arXiv 1902.04552](https://arxiv.org/abs/1902.04552)). Before you average, ask: is my class one thing?
#
# ## In robotics
#
# A robot meets objects that nobody trained it on: at home it must learn *this* cup from a few views, in a factory *this* defect. Such tasks are in the data set FewSOL (Jishnu Jaykumar P et al. 2022, [arXiv 2207.03333](https://arxiv.org/abs/2207.03333)): 336 real objects, nine views of each; its authors find that few-shot methods leave much room for improvement there.
#
# Now the circuit boards of lesson 01. For the prototypes nothing is trained: the encoder is the network with ImageNet weights, frozen, and prototypes are formed from its features. Six classes (good, and five defects), $K$ boards of each; for comparison the pixels, and a linear probe trained on the same features.
# %% [markdown] lang="pl"
# Cechy są te same, cyfry też; zmieniły się tylko klasy. (Przy jednym przykładzie na klasę obie reguły dają to samo.) Tam, gdzie klasa jest prawie jedną chmurą (po lewej), prototypy dotrzymują kroku najbliższemu sąsiadowi. Tam, gdzie składa się z kilku (po prawej), tym bardziej zostają w tyle, im więcej jest przykładów. Pomogłoby też kilka prototypów na klasę (Allen i in. 2019, [arXiv 1902.04552](https://arxiv.org/abs/1902.04552)). Zanim policzysz średnią, zapytaj: czy moja klasa to jedna rzecz?
#
# ## W robotyce
#
# Robot spotyka przedmioty, na których nikt go nie trenował: w mieszkaniu musi rozpoznać *ten* kubek na podstawie kilku ujęć, na linii *tę* wadę. Takie zadania zawiera zbiór danych FewSOL (Jishnu Jaykumar P i in. 2022, [arXiv 2207.03333](https://arxiv.org/abs/2207.03333)): 336 prawdziwych przedmiotów, każdy w dziewięciu ujęciach; zdaniem autorów metodom uczenia na kilku przykładach wiele tam jeszcze brakuje.
#
# Teraz płytki drukowane z lekcji 01. Dla prototypów niczego nie trenujemy: enkoderem jest zamrożona sieć z wagami z ImageNet, a prototypy liczymy z jej cech. Sześć klas (dobra płytka i pięć wad), po $K$ płytek; dla porównania piksele i sonda liniowa wytrenowana na tych samych cechach.

# %%
boards, defects = make_boards(120, seed=SEED)
extracted = FeatureExtractor().extract_features(boards)
inspected = {}
for name, z, rule, episodes in (
    (t("pixels, prototypes", "piksele, prototypy"), boards.flatten(1) / 255, nearest_prototype, 100),
    (t("ImageNet, prototypes", "ImageNet, prototypy"), extracted, nearest_prototype, 100),
    (t("ImageNet, linear probe", "ImageNet, sonda liniowa"), extracted, lambda z, y, q: linear_probe(z, y)(q), 20),
):
    samplers = [EpisodeSampler(defects, len(CLASSES), k, n_query=10, episodes=episodes, seed=SEED) for k in (1, 5, 10)]
    inspected[name] = [evaluate_episodes(rule, z, sampler) for sampler in samplers]
table([(name, *(f"{s.mean:.2f} ± {s.interval:.2f}" for s in row)) for name, row in inspected.items()],
      [t("6 classes of boards", "6 klas płytek"), *(f"K = {k}" for k in (1, 5, 10))])

# %% [markdown] lang="en"
# Pixels do little better than guessing (1/6). Features learned on photographs of dogs and teapots, with five boards of each class, do far better: not enough for a production line, but enough for a first sorting, without a training step, minutes after the defect was first seen. And prototypes are no worse than a trained probe. (It has the penalty 100 of lesson 01, not chosen anew for so few boards, and only 20 episodes instead of 100, hence its wider intervals. All intervals are over the draw of episodes from the same 120 boards.)
#
# ## Exercises
#
# **1. An episode by hand.** `support[k, i]` is the feature vector of example $i$ of class $k$, so `support` is (N, K, D); `query` (M, D) has those of $M$ queries. Return the log-probabilities (M, N) of a prototypical network with the squared Euclidean distance.
# %% [markdown] lang="pl"
# Piksele są tu niewiele lepsze od zgadywania (1/6). Cechy wyuczone na zdjęciach psów i czajników przy pięciu płytkach na klasę są dużo lepsze: na linię produkcyjną to za mało, ale do wstępnego sortowania wystarczy, i to bez jednego kroku treningu, kilka minut po pierwszej takiej wadzie. Prototypy nie są przy tym gorsze od wytrenowanej sondy. (Ma ona karę 100 z lekcji 01, niedobraną do tak małych zbiorów, i tylko 20 epizodów zamiast 100, stąd szersze przedziały. Wszystkie przedziały dotyczą losowania epizodów z tych samych 120 płytek.)
#
# ## Ćwiczenia
#
# **1. Epizod własnoręcznie.** `support[k, i]` to wektor cech przykładu $i$ z klasy $k$, więc `support` ma kształt (N, K, D); `query` (M, D) zawiera cechy $M$ zapytań. Zwróć logarytmy prawdopodobieństw (M, N) sieci prototypowej z kwadratem odległości euklidesowej.

# %% tags=["exercise"]
def episode_log_probabilities(support, query):
    return ...


# %% [markdown] lang="en" tags=["hint"]
# The prototypes are `support.mean(1)`: the mean over the shots, (N, D). `torch.cdist(query, prototypes)` gives the distances (M, N), not squared. Then `log_softmax` over the classes.
# %% [markdown] lang="pl" tags=["hint"]
# Prototypy to `support.mean(1)`: średnia po przykładach, (N, D). `torch.cdist(query, prototypes)` daje odległości (M, N), nie ich kwadraty. Potem `log_softmax` po klasach.

# %% tags=["check"]
check("episode_log_probabilities", episode_log_probabilities)


# %% tags=["solution"]
def episode_log_probabilities(support, query):
    prototypes = support.mean(1)
    return (-torch.cdist(query, prototypes).square()).log_softmax(1)


# %% [markdown] lang="en"
# **2. The classifier in disguise.** From `prototypes` (N, D) make the `weight` (N, D) and the `bias` (N,) of a linear layer whose softmax equals that of the prototypes, for every $z$. Return both.
# %% [markdown] lang="pl"
# **2. Klasyfikator w przebraniu.** Z prototypów `prototypes` (N, D) zrób wagi `weight` (N, D) i wyrazy wolne `bias` (N,) warstwy liniowej, która dla każdego $z$ daje po funkcji softmax te same prawdopodobieństwa co prototypy. Zwróć oba tensory.

# %% tags=["exercise"]
def linear_classifier(prototypes):
    weight = ...
    bias = ...
    return weight, bias


# %% [markdown] lang="en" tags=["hint"]
# Expand $-\lVert z - c_k \rVert^2$ as above and drop what does not depend on $k$. `prototypes.square().sum(1)` is $\lVert c_k \rVert^2$.
# %% [markdown] lang="pl" tags=["hint"]
# Rozwiń $-\lVert z - c_k \rVert^2$ jak wyżej i opuść to, co nie zależy od $k$. `prototypes.square().sum(1)` to $\lVert c_k \rVert^2$.

# %% tags=["check"]
check("linear_classifier", linear_classifier)


# %% tags=["solution"]
def linear_classifier(prototypes):
    weight = 2 * prototypes
    bias = -prototypes.square().sum(1)
    return weight, bias


# %% [markdown] lang="en"
# ## Quiz
# %% [markdown] lang="pl"
# ## Quiz

# %% tags=["quiz"]
quiz(
    Quiz(
        t("Your class has three support examples, one of them mislabelled. Where is the prototype, compared with the mean of the two good ones?", "Klasa ma trzy przykłady wsparcia, jeden ze złą etykietą. Gdzie leży prototyp w porównaniu ze średnią dwóch dobrych?"),
        [
            (t("In the same place: the two good ones outvote it.", "Tam samo: dwa dobre przegłosują zły."), False,
             t("A mean does not vote: every example moves it.", "Średnia nie głosuje: przesuwa ją każdy przykład.")),
            (t("A third of the way towards the bad example.", "O jedną trzecią drogi bliżej złego przykładu."), True,
             t("Yes. A geometric median would hardly be moved by one far example, but it belongs to no Bregman divergence.", "Tak. Mediany geometrycznej daleki przykład prawie by nie ruszył, ale nie odpowiada ona żadnej dywergencji Bregmana.")),
            (t("Nobody knows before the network is trained again.", "Nie wiadomo, dopóki nie wytrenuje się sieci na nowo."), False,
             t("Nothing is trained for new classes; take the example out and average again.", "Dla nowych klas niczego się nie trenuje; usuń przykład i policz średnią na nowo.")),
        ],
    ),
    Quiz(
        t("You have 20,000 images for training. Which choice best prepares the encoder for new classes?", "Masz 20 000 obrazów do treningu. Które są najlepsze do uczenia nowych klas?"),
        [
            (t("10,000 images of each of two classes.", "Po 10 000 obrazów każdej z dwóch klas."), False,
             t("The encoder would learn what separates these two, and little else.", "Enkoder nauczy się, co odróżnia te dwie klasy, i niewiele więcej.")),
            (t("20 images of each of 1,000 classes.", "Po 20 obrazów każdej z 1000 klas."), True,
             t("Yes: each class is one more example of what to ignore and what to compare.", "Tak: każda klasa to jeszcze jeden przykład tego, co pominąć, a co porównywać.")),
            (t("It makes no difference.", "To bez różnicy."), False,
             t("With two classes every task is the same one; what changes from class to class cannot be learned from it.", "Przy dwóch klasach każde zadanie jest takie samo; nie da się z niego nauczyć, co zmienia się od klasy do klasy.")),
        ],
    ),
    Quiz(
        t("A paper reports 99 % in 5-way 1-shot, your network gets 94 % within one script. What do you conclude?", "Artykuł podaje 99 % przy 5 klasach po 1, twoja sieć ma 94 % w jednym piśmie. Co z tego wynika?"),
        [
            (t("Yours is worse.", "Twoja jest gorsza."), False,
             t("Perhaps it is, but these numbers cannot tell.", "Być może, ale z tych liczb to nie wynika.")),
            (t("Nothing yet: ask where the authors drew their classes from.", "Jeszcze nic: zapytaj, skąd autorzy losowali klasy."), True,
             t("Yes. Classes mixed from many scripts are easier to tell apart.", "Tak. Klasy wymieszane z wielu pism łatwiej odróżnić.")),
            (t("You need more episodes.", "Trzeba więcej epizodów."), False,
             t("More episodes make the interval narrower, not the task easier.", "Więcej epizodów zwęża przedział, a nie ułatwia zadania.")),
        ],
    ),
    Quiz(
        t("Scratches on your boards come in two kinds that look nothing alike. What do you do?", "Na płytkach zdarzają się rysy dwóch rodzajów, zupełnie do siebie niepodobne. Co robisz?"),
        [
            (t("Take more examples; the mean will settle.", "Biorę więcej przykładów; średnia się ustabilizuje."), False,
             t("It settles, but between the two clouds.", "Ustabilizuje się, ale między dwiema chmurami.")),
            (t("Two classes, two prototypes; afterwards both are called a scratch.", "Dwie klasy i dwa prototypy; potem obie nazywam rysą."), True,
             t("Yes: one prototype for one cloud.", "Tak: jeden prototyp na jedną chmurę.")),
            (t("Use the cosine distance.", "Używam odległości cosinusowej."), False,
             t("It also averages; the mean of two directions points at neither.", "Tu też jest średnia, a średnia dwóch kierunków nie wskazuje żadnego z nich.")),
        ],
    ),
)

# %% [markdown] lang="en"
# ## What we saw
#
# - An episode is a small task with a support set and a query set; a result is a mean over hundreds, with its interval.
# - A prototypical network compares a query with class means; the mean is the best representative for every Bregman divergence.
# - It is a linear classifier whose weights are read off the examples.
# - A network trained on letters of five scripts learns those of ten others from one example; more letters in training help, and a plain classifier's features come close.
# - Within one script and on handwriting it is harder. Where a class is several clouds, its mean stands for none of them.
#
# The numbers of this run and of the recorded ones have to bear this out:
# %% [markdown] lang="pl"
# ## Podsumowanie
#
# - Epizod to małe zadanie ze zbiorem wsparcia i zbiorem zapytań; wynik to średnia z setek epizodów, razem z przedziałem.
# - Sieć prototypowa porównuje zapytanie ze średnimi klas; średnia jest najlepszym przedstawicielem dla każdej dywergencji Bregmana.
# - To klasyfikator liniowy, którego wagi odczytuje się z przykładów.
# - Sieć wytrenowana na literach pięciu pism uczy się liter dziesięciu innych z jednego przykładu; pomaga więcej liter w treningu, a cechy zwykłego klasyfikatora są niewiele gorsze.
# - W jednym piśmie i na cyfrach pisanych ręcznie jest trudniej. Gdzie klasa jest kilkoma chmurami, jej średnia nie zastępuje żadnej z nich.
#
# Liczby z tego uruchomienia i z zapisanych przebiegów muszą to potwierdzać:

# %% tags=["claim"]
ours, plain = scores[words["prototypes"]], scores[words["pixels"]]
claim(t("Scripts never seen, 5-way 1-shot, this run", "Pisma nigdy niewidziane, 5 klas po 1, to uruchomienie"), ours[0].mean, at_least=0.93)
claim(t("The same: lead over the pixels", "To samo: przewaga nad pikselami"), ours[0].mean - plain[0].mean, at_least=0.18)
claim(t("20-way 1-shot: lead over the pixels", "20 klas po 1: przewaga nad pikselami"), ours[2].mean - plain[2].mean, at_least=0.28)
claim(t("Pixels above the untrained encoder, 5-way 1-shot, recorded mean", "Przewaga pikseli nad niewytrenowanym enkoderem, 5 klas po 1, zapisana średnia"), (cell("pixels", 5, 1) - cell("untrained", 5, 1)).mean(), at_least=0.08)
claim(t("From the best point to the mean, Bregman divergences", "Od najlepszego punktu do średniej, dywergencje Bregmana"), max(list(offsets.values())[:2]), at_most=1e-4)
claim(t("The same without the square", "To samo bez kwadratu"), list(offsets.values())[2], at_least=1e-3)
claim(t("Largest difference to the linear classifier", "Największa różnica wobec klasyfikatora liniowego"), (by_distance - by_layer).abs().max().item(), at_most=1e-4)
lead = {task: (cell("prototypes", *task) - cell("classifier", *task)).mean() for task in TASKS.values()}
claim(t("Lead of episodes over a classifier's features, 20-way 1-shot, recorded mean", "Przewaga epizodów nad cechami klasyfikatora, 20 klas po 1, zapisana średnia"), lead[20, 1], at_least=0.01)
claim(t("The same, 5-way 1-shot: they come close", "To samo, 5 klas po 1: różnica jest mała"), lead[5, 1], at_most=0.03)
claim(t("Smallest recorded lead of a classifier's features over pixels, 5-way 1-shot", "Najmniejsza zapisana przewaga cech klasyfikatora nad pikselami, 5 klas po 1"), (cell("classifier", 5, 1) - cell("pixels", 5, 1)).min(), at_least=0.15)
claim(t("What one script costs, 5-way 1-shot, recorded mean", "Ile kosztuje jedno pismo, 5 klas po 1, zapisana średnia"), (cell("prototypes", 5, 1) - harder["prototypes"][:, 0]).mean(), at_least=0.02)
claim(t("Digits, 5-way 1-shot: lead over pixels, recorded mean", "Cyfry, 5 klas po 1: przewaga nad pikselami, zapisana średnia"), (digit_scores["prototypes"] - digit_scores["pixels"])[:, 0].mean(), at_least=0.15)
claim(t("What all letters in training add to 20, recorded mean", "Ile wszystkie litery w treningu dodają do 20, zapisana średnia"), (by_letters[:, -1] - by_letters[:, 0]).mean(), at_least=0.10)
claim(t("Even or odd, K = 30: the nearest neighbour's lead, this run", "Parzysta czy nieparzysta, K = 30: przewaga najbliższego sąsiada, to uruchomienie"), -gap, at_least=0.05)
claim(t("Boards, K = 5: lead of ImageNet's features over pixels", "Płytki, K = 5: przewaga cech z ImageNet nad pikselami"), (rows := list(inspected.values()))[1][1].mean - rows[0][1].mean, at_least=0.15)
claim(t("The same over the trained probe", "To samo nad wytrenowaną sondą"), rows[1][1].mean - rows[2][1].mean, at_least=-0.03)
claim(t("Ten examples of pixels below one of the prototypical network, smallest recorded lead over N", "Jeden przykład sieci prototypowej nad dziesięcioma pikseli, najmniejsza zapisana przewaga dla wszystkich N"),
      (grid["prototypes"][:, :, 0] - grid["pixels"][:, :, -1]).mean(0).min(), at_least=0)
claim(t("Smallest recorded mean lead of episodes over a classifier's features, all tests", "Najmniejsza zapisana średnia przewaga epizodów nad cechami klasyfikatora, wszystkie sprawdziany"),
      min(*lead.values(), *((kind["prototypes"] - kind["classifier"]).mean(0).min() for kind in (harder, digit_scores))), at_least=0)

# %% [markdown] lang="en"
# ## Where to go next
#
# - Snell et al. 2017, *Prototypical Networks for Few-shot Learning*, [arXiv 1703.05175](https://arxiv.org/abs/1703.05175)
# - Vinyals et al. 2016, *Matching Networks for One Shot Learning*, [arXiv 1606.04080](https://arxiv.org/abs/1606.04080): where episodes come from
# - Lake et al. 2015, *Human-level concept learning through probabilistic program induction*, Science 350: Omniglot
# - Chen et al. 2019, *A Closer Look at Few-shot Classification*, [arXiv 1904.04232](https://arxiv.org/abs/1904.04232)
# - Banerjee et al. 2005, *Clustering with Bregman Divergences*, JMLR 6
#
# Here the encoder stays as it is when new classes come. [Lesson 09](09_maml.ipynb) lets the whole network adapt, from a start that was learned for it.
# %% [markdown] lang="pl"
# ## Co dalej
#
# - Snell i in. 2017, *Prototypical Networks for Few-shot Learning*, [arXiv 1703.05175](https://arxiv.org/abs/1703.05175)
# - Vinyals i in. 2016, *Matching Networks for One Shot Learning*, [arXiv 1606.04080](https://arxiv.org/abs/1606.04080): stąd pochodzą epizody
# - Lake i in. 2015, *Human-level concept learning through probabilistic program induction*, Science 350: Omniglot
# - Chen i in. 2019, *A Closer Look at Few-shot Classification*, [arXiv 1904.04232](https://arxiv.org/abs/1904.04232)
# - Banerjee i in. 2005, *Clustering with Bregman Divergences*, JMLR 6
#
# Tutaj enkoder nie zmienia się, gdy przychodzą nowe klasy. W [lekcji 09](09_maml.ipynb) dostraja się cała sieć, a punkt startu, z którego rusza, jest wyuczony właśnie po to.
