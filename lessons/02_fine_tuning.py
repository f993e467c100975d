# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   tlcourse:
#     title: {en: Fine-tuning, pl: Dostrajanie}
#     minutes: 50
#     seconds: 58
#     prerequisites: ["01_feature_extraction"]
# ---

# %% [markdown] lang="en"
# # Fine-tuning
#
# A network of this size, trained from scratch on 800 images, is right on about every second board; frozen features get three out of four. What if the pretrained network may change?
#
# **After this lesson you will be able to**
#
# - fine-tune a pretrained network in four steps: take it, replace the head, choose what may change, train,
# - choose learning rates for its layers, and explain by one formula what survives of the pretrained weights,
# - freeze a part of a network *completely*, batch normalisation included,
# - say when fine-tuning is not worth it.
#
# **You need**: [lesson 01](01_feature_extraction.ipynb), gradients, eigenvalues. **Time**: about 50 minutes; the code runs in just
# under a minute. New words are explained in the glossary of [lesson 00](00_start.ipynb).
# %% [markdown] lang="pl"
# # Dostrajanie
#
# Sieć tej wielkości, trenowana od zera na 800 obrazach, rozpoznaje mniej więcej co drugą płytkę; zamrożone cechy rozpoznają trzy na cztery. A gdyby model wstępnie wytrenowany mógł się zmieniać?
#
# **Po tej lekcji będziesz umieć**
#
# - dostroić model wstępnie wytrenowany w czterech krokach: wziąć go, wymienić głowicę, wybrać, co może się zmieniać, i trenować,
# - dobrać współczynniki uczenia do jego warstw i jednym wzorem wyjaśnić, co zostaje z wag wstępnie wytrenowanych,
# - zamrozić część sieci *całkowicie*, razem z normalizacją wsadową (ang. *batch normalization*),
# - powiedzieć, kiedy dostrajanie się nie opłaca.
#
# **Co trzeba umieć**: [lekcja 01](01_feature_extraction.ipynb), gradienty, wartości własne. **Czas**: około 50 minut; kod wykonuje się
# niecałą minutę. Nowe słowa wyjaśnia słowniczek w [lekcji 00](00_start.ipynb).

# %% tags=["setup"]
from tlcourse.classroom import start_lesson, t

start_lesson("02_fine_tuning", lang="en")

# %% tags=["imports"]
import copy

import matplotlib.pyplot as plt
import torch
from torch import nn

from tlcourse.classroom import (
    Prediction, Quiz, band, check, claim, confusion, explore, mean_pm, palette, quiz, recorded, show, show_source, table, text,
)
from tlcourse.data.boards import CLASS_NAMES, CLASSES, load_boards
from tlcourse.feature_extraction import linear_probe
from tlcourse.fine_tuning import LayerGroups, TransferLearningModel, dihedral, discriminative_rates, random_view
from tlcourse.runtime import pick_device
from tlcourse.training import evaluate, fit, predict

# %% [markdown] lang="en"
# ## The idea
#
# A pianist takes up the organ. She does not learn music anew: her ear, her fingers and her sense of harmony stay. The pedals and the stops are new, and
# these she practises hard. Her touch has to change a little, and she changes it slowly, so as not to spoil what she can do.
#
# Fine-tuning treats a network in the same way:
#
# 1. **take** a pretrained network,
# 2. **replace the head**: the old one names ImageNet's classes; a new, random one will name ours,
# 3. **choose what may change**: the last layers are specific to the old task and must change; the first ones, with their edges and textures, serve any task and may stay,
# 4. **train**, the earlier layers at lower learning rates than the later ones.
# %% [markdown] lang="pl"
# ## Pomysł
#
# Pianistka zaczyna grać na organach. Nie uczy się muzyki od nowa: słuch, palce i wyczucie harmonii zostają. Nowe są pedały i rejestry, i to
# je ćwiczy najpilniej. Musi też trochę zmienić sposób uderzania w klawisze; robi to powoli, żeby nie zepsuć tego, co już umie.
#
# Dostrajanie (ang. *fine-tuning*) traktuje tak samo sieć:
#
# 1. **weź** model wstępnie wytrenowany,
# 2. **wymień głowicę** (ang. *head*): stara nazywa klasy ImageNetu; nowa, losowa, będzie nazywać nasze,
# 3. **wybierz, co może się zmieniać**: ostatnie warstwy są dopasowane do starego zadania i muszą się zmienić; pierwsze, które wykrywają krawędzie i tekstury, przydają się w każdym i mogą zostać,
# 4. **trenuj**, wcześniejsze warstwy z mniejszymi współczynnikami uczenia niż późniejsze.

# %% [markdown] lang="en"
# ## The mathematics
#
# Let $\theta$ be the weights that may change, head included, and $J(\theta)$ the mean cross-entropy on the labelled images. At its plainest, fine-tuning is gradient descent,
#
# $$\theta' = \theta - \alpha \nabla J(\theta),$$
#
# with learning rate $\alpha$. The only new thing is where it **starts**: at the pretrained weights $\theta_0$, not at random ones. Why should the start matter, if
# the end is a minimum of the same $J$?
#
# **The step that matters.** Look at $J$ near a minimum $\theta^*$, where it is nearly a parabola with the matrix of second derivatives $H$. Then
# $\nabla J(\theta) = H (\theta - \theta^*)$, so one step gives $\theta' - \theta^* = (I - \alpha H)(\theta - \theta^*)$, and after $t$ steps
#
# $$\theta_t - \theta^* = (I - \alpha H)^t \, (\theta_0 - \theta^*).$$
#
# At a minimum the eigenvalues of $H$ are not negative. Along an eigenvector with eigenvalue $h$ the distance to $\theta^*$ is multiplied by $(1 - \alpha h)^t$, for small $\alpha h$ about $e^{-\alpha h t}$. Three cases:
#
# - $\alpha h t \ll 1$: the factor is near 1, the direction **stays as pretraining left it**. So it is wherever the images say nothing ($h \approx 0$), and in the more directions, the smaller the rate and the fewer the steps.
# - $0 < \alpha h < 2$ and enough steps: the direction is learned, fastest at $\alpha h = 1$.
# - $\alpha h > 2$: $\lvert 1 - \alpha h \rvert > 1$, the distance grows at every step. Too large a rate **throws the pretrained weights away**.
#
# So the start matters: a network with more weights than images has many minima, and the directions with $h \approx 0$ decide in which one you end. (We shall use AdamW, which rescales each gradient. The three cases remain a guide; the number 2 does not.)
# %% [markdown] lang="pl"
# ## Matematyka
#
# Niech $\theta$ oznacza wagi, które mogą się zmieniać, razem z głowicą, a $J(\theta)$ średnią entropię krzyżową na obrazach z etykietami. W najprostszej postaci dostrajanie to metoda gradientu prostego (ang. *gradient descent*),
#
# $$\theta' = \theta - \alpha \nabla J(\theta),$$
#
# ze współczynnikiem uczenia (ang. *learning rate*) $\alpha$. Nowe jest tylko to, skąd **startuje**: z wag wstępnie wytrenowanych $\theta_0$, a nie z losowych. Dlaczego start miałby mieć
# znaczenie, skoro na końcu jest minimum tego samego $J$?
#
# **Najważniejszy krok.** Spójrz na $J$ w pobliżu minimum $\theta^*$, gdzie wykres jest prawie paraboloidą o macierzy drugich pochodnych $H$. Wtedy
# $\nabla J(\theta) = H (\theta - \theta^*)$, więc jeden krok daje $\theta' - \theta^* = (I - \alpha H)(\theta - \theta^*)$, a po $t$ krokach
#
# $$\theta_t - \theta^* = (I - \alpha H)^t \, (\theta_0 - \theta^*).$$
#
# W minimum wartości własne $H$ nie są ujemne. Wzdłuż wektora własnego o wartości własnej $h$ odległość od $\theta^*$ zostaje pomnożona przez $(1 - \alpha h)^t$, dla małych $\alpha h$ w przybliżeniu $e^{-\alpha h t}$. Są trzy przypadki:
#
# - $\alpha h t \ll 1$: czynnik jest bliski 1 i kierunek **zostaje taki, jak po treningu wstępnym**. Jest tak wszędzie tam, gdzie obrazy nic nie mówią ($h \approx 0$), i w tym większej liczbie kierunków, im mniejszy współczynnik i im mniej kroków.
# - $0 < \alpha h < 2$ i dość kroków: sieć uczy się tego kierunku, najszybciej przy $\alpha h = 1$.
# - $\alpha h > 2$: $\lvert 1 - \alpha h \rvert > 1$, odległość rośnie z każdym krokiem. Zbyt duży współczynnik **niszczy wagi wstępnie wytrenowane**.
#
# Start ma więc znaczenie: sieć, która ma więcej wag niż obrazów, ma wiele minimów, a o tym, w którym skończysz, decydują kierunki z $h \approx 0$. (Użyjemy AdamW, który sam skaluje każdy gradient. Trzy przypadki pozostają drogowskazem; liczba 2 już nie.)

# %% [markdown] lang="en"
# **Discriminative rates.** The head is random and has far to go, the first layers are nearly right. So give each layer group its own rate (Howard and Ruder 2018,
# [arXiv 1801.06146](https://arxiv.org/abs/1801.06146)): with $L$ groups, the head being group $L$, and a factor $\eta \ge 1$,
#
# $$\alpha_l = \frac{\alpha_L}{\eta^{\,L - l}}, \qquad l = 1, \dots, L .$$
#
# Their text model has three layers of LSTM, and they divide by 2.6. Over our ten groups this would make $2.6^9 \approx 5400$: we take $\eta = 1.25$. (In the code $\eta$ is `decay`.)
# %% [markdown] lang="pl"
# **Zróżnicowane współczynniki uczenia** (ang. *discriminative learning rates*). Głowica jest losowa i ma przed sobą daleką drogę, a pierwsze warstwy są już prawie dobre. Daj więc każdej
# grupie warstw własny współczynnik uczenia (Howard i Ruder 2018, [arXiv 1801.06146](https://arxiv.org/abs/1801.06146)): gdy grup jest $L$, głowica jest grupą $L$, a $\eta \ge 1$ to stały czynnik,
#
# $$\alpha_l = \frac{\alpha_L}{\eta^{\,L - l}}, \qquad l = 1, \dots, L .$$
#
# Ich model tekstu ma trzy warstwy LSTM i dzieli przez 2,6. Przy naszych dziesięciu grupach dałoby to $2{,}6^9 \approx 5400$: bierzemy $\eta = 1{,}25$. (W kodzie $\eta$ to `decay`.)

# %% [markdown] lang="en"
# ## Before you run: predict
#
# In lesson 01 a linear probe on frozen features reached a bit less than 80 %. Now the head and the last three of nine other layer groups may change.
# %% [markdown] lang="pl"
# ## Zanim uruchomisz: zgadnij
#
# W lekcji 01 sonda liniowa na zamrożonych cechach osiągnęła niecałe 80 %. Teraz oprócz głowicy mogą się zmieniać trzy ostatnie z dziewięciu pozostałych grup warstw.

# %% tags=["predict"]
guess = Prediction(
    t("What accuracy will fine-tuning reach on the test boards?", "Jaką dokładność da dostrajanie na płytkach testowych?"),
    low=0, high=100, unit="%",
)
guess

# %% [markdown] lang="en"
# ## The code
#
# The model of the package is a row of layer groups with a new head. Unfreezing counts from the head down, and each group gets a rate of its own:
# %% [markdown] lang="pl"
# ## Kod
#
# Model z pakietu to szereg grup warstw z nową głowicą. Odmrażane grupy liczymy od głowicy wstecz, a każda dostaje własny współczynnik uczenia:

# %%
show_source(TransferLearningModel.unfreeze_layers, TransferLearningModel.parameter_groups)

# %% [markdown] lang="en"
# And this is the training loop. Read the lines from `for batch in` to `scheduler.step()`: batch, loss, gradient, step. The rest is for GPUs (`scaler`, `autocast`), interrupted runs (`checkpoint`), early stopping (`patience`) and repeatability (`seed`).
# %% [markdown] lang="pl"
# A oto pętla treningowa. Przeczytaj wiersze od `for batch in` do `scheduler.step()`: paczka (ang. *batch*), strata, gradient, krok. Reszta służy kartom graficznym (`scaler`, `autocast`), przerwanym przebiegom (`checkpoint`), wczesnemu zatrzymaniu (`patience`) i powtarzalności (`seed`).

# %%
show_source(fit)

# %% [markdown] lang="en"
# ## The experiment
#
# Take the network, replace its head, choose what may change: two lines.
# %% [markdown] lang="pl"
# ## Eksperyment
#
# Weź sieć, wymień głowicę, wybierz, co może się zmieniać: dwa wiersze.

# %%
train_images, train_labels, test_images, test_labels = load_boards()
model = TransferLearningModel(num_classes=len(CLASSES))
model.unfreeze_layers(3)
[(name, sum(p.numel() for p in group.parameters() if p.requires_grad)) for name, group in model.layers.named_children()]

# %% [markdown] lang="en"
# These are the trainable parameters of each group: none in the first six. What the frozen groups make of an image never changes, so compute it **once**. A
# board may lie in the machine any way round; we therefore keep four views of each, turned by 90°, and training picks one at random: *data augmentation* for the price of four passes instead of one. `split` cuts the model into its frozen and its trainable part; both share their weights with `model`, so training `rest` trains it.
# %% [markdown] lang="pl"
# Oto liczby trenowanych parametrów w grupach: w pierwszych sześciu nie ma żadnych. Wynik zamrożonych grup dla danego obrazu nigdy się nie zmienia, więc policz go **raz**. Płytka
# może leżeć w maszynie w dowolnym ustawieniu; dlatego zachowujemy cztery widoki każdej, obrócone co 90°, a trening losuje jeden z nich: to augmentacja danych (ang. *data augmentation*) w cenie czterech przejść zamiast jednego. `split` dzieli model na część zamrożoną i trenowaną; obie dzielą wagi z `model`, więc trening `rest` trenuje i jego.

# %%
frozen, rest = model.split()
views = dihedral(train_images, range(4))
train_maps = predict(frozen, views.flatten(0, 1), progress=True).unflatten(0, views.shape[:2])
test_maps = predict(frozen, test_images)
train_maps.shape

# %%
# en: The probe of lesson 01: rest[:-1] is all but the head, view 0 the image as it is.
# pl: Sonda z lekcji 01: rest[:-1] to wszystko oprócz głowicy, widok 0 to obraz bez obrotu.
features, test_features = (predict(rest[:-1], maps) for maps in (train_maps[:, 0], test_maps))
probe = linear_probe(features, train_labels)
pretrained = copy.deepcopy(rest[:-1])
probe_accuracy = evaluate(probe, (test_features, test_labels))["accuracy"]

# %% [markdown] lang="en"
# Now the training itself: an optimizer with a rate for each group, rates that first rise and then fall, ten epochs. Label smoothing asks for
# about 0.92 instead of 1 for the true class, and spreads the rest over the others, so that the network does not become too sure. We watch the first 200 test boards.
# %% [markdown] lang="pl"
# Teraz sam trening: optymalizator z osobnym współczynnikiem uczenia dla każdej grupy, współczynniki, które najpierw rosną, a potem maleją, dziesięć epok. Wygładzanie etykiet
# (ang. *label smoothing*) każe dać prawdziwej klasie około 0,92 zamiast 1, a resztę rozdzielić między pozostałe, żeby sieć nie była zbyt pewna siebie. Obserwujemy pierwsze 200 płytek testowych.

# %%
optimizer = torch.optim.AdamW(model.parameter_groups(lr=8e-3, decay=1.25), weight_decay=0.01)
rates = [group["lr"] for group in optimizer.param_groups]
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=10 * 25)  # 800 / 32 = 25
history = fit(
    rest, (train_maps, train_labels), (test_maps[:200], test_labels[:200]),
    optimizer=optimizer, scheduler=scheduler, epochs=10, augment=random_view,
    loss=nn.CrossEntropyLoss(label_smoothing=0.1),
)
accuracy = evaluate(rest, (test_maps, test_labels))["accuracy"]
guess.compare(100 * accuracy)

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4))
epochs = range(1, 11)
left.plot(epochs, history.train_loss, marker="o", label=t("training loss"))
left.plot(epochs, history.validation_loss, marker="o", label=t("test loss", "strata testowa"))
right.plot(epochs, history.validation_accuracy, marker="o", color=palette("green"), label=t("fine-tuned"))
right.axhline(probe_accuracy, linestyle="--", color=palette("grey"), label=t("linear probe"))
left.set(xlabel=t("epoch"), ylabel=t("loss"))
right.set(xlabel=t("epoch"), ylabel=t("test accuracy"), ylim=(0, 1))
left.legend()
right.legend(loc="lower right")
show(fig, alt=t("Both losses fall over ten epochs; the test accuracy soon passes that of the linear probe.",
                "Obie straty maleją przez dziesięć epok; dokładność testowa szybko przewyższa sondę liniową."))

# %% [markdown] lang="en"
# While the rate is at its highest, around the third epoch, the weights leap about and the test accuracy may dip; as the rate falls, they settle.
#
# The test set stops nothing here: what we report is the last epoch. (`fit` calls such data validation data.) To be honest, the authors saw test accuracies while they set rate and epochs, so the number may be slightly flattered; the recorded runs below use other draws of the training set. Choosing *on the test set* is a common way of fooling oneself.
#
# Which classes does the network still confuse?
# %% [markdown] lang="pl"
# Gdy współczynnik uczenia jest największy, mniej więcej w trzeciej epoce, wagi skaczą i dokładność testowa może na chwilę spaść; gdy współczynnik maleje, wszystko się uspokaja.
#
# Zbiór testowy niczego tu nie zatrzymuje: podajemy wynik z ostatniej epoki. (`fit` nazywa takie dane walidacyjnymi.) Uczciwie mówiąc, autorzy widzieli dokładność testową, gdy ustalali współczynnik i liczbę epok, więc liczba może być trochę za ładna; zapisane przebiegi poniżej używają innych losowań zbioru treningowego. Wybieranie *na zbiorze testowym* to częsty sposób oszukiwania samego siebie.
#
# Które klasy sieć wciąż myli?

# %%
names = [text(CLASS_NAMES[name]) for name in CLASSES]
predicted = predict(rest, test_maps).argmax(1)
counts = torch.zeros(6, 6, dtype=torch.int64)
counts.index_put_((test_labels, predicted), torch.tensor(1), accumulate=True)
fig, ax = plt.subplots(figsize=(6.4, 4.6))
confusion(ax, counts, names)
show(fig, alt=t("Confusion matrix of the fine-tuned network: nearly all boards lie on the diagonal.",
                "Macierz pomyłek dostrojonej sieci: prawie wszystkie płytki leżą na przekątnej."))

# %% [markdown] lang="en"
# ### How many labels does pretraining save?
#
# One run proves little, and training from scratch takes too long for a lesson. So the next figure shows recorded runs over three seeds, with five ways to learn (all layers and from scratch at 100 and 800 images only). All but the probe see each image in eight turns and reflections:
#
# - **linear probe**, as in lesson 01,
# - **last blocks**, as you have just done,
# - **all layers** fine-tuned with discriminative rates,
# - **from scratch**: the same network from random weights, with just as many gradient steps,
# - **small network**: five convolutions made for this task, from random weights, with twice as many steps.
# %% [markdown] lang="pl"
# ### Ile etykiet oszczędza trening wstępny?
#
# Jeden przebieg niewiele dowodzi, a trening od zera trwa za długo jak na lekcję. Następny wykres pokazuje więc zapisane przebiegi dla trzech ziaren losowości (ang. *seeds*) i pięciu sposobów uczenia (wszystkie warstwy i od zera tylko dla 100 i 800 obrazów). Wszystkie oprócz sondy widzą każdy obraz w ośmiu obrotach i odbiciach:
#
# - **sonda liniowa**, jak w lekcji 01,
# - **ostatnie bloki**, tak jak przed chwilą,
# - **wszystkie warstwy** dostrojone ze zróżnicowanymi współczynnikami uczenia,
# - **od zera** (ang. *from scratch*): ta sama sieć z losowymi wagami i z taką samą liczbą kroków gradientu,
# - **mała sieć**: pięć warstw splotowych zaprojektowanych do tego zadania, z losowymi wagami i dwukrotnie większą liczbą kroków.

# %%
record = recorded("data_efficiency")
runs = record.results["methods"]
labels = {
    "last blocks": t("last blocks", "ostatnie bloki"),
    "all layers": t("all layers", "wszystkie warstwy"),
    "small network": t("small network", "mała sieć"),
    "linear probe": t("linear probe"),
    "from scratch": t("from scratch"),
}
record.note()
fig, ax = plt.subplots(figsize=(7.5, 4.2))
for (name, label), colour in zip(labels.items(), ("blue", "sky", "orange", "grey", "red")):
    style = "-" if len(runs[name]["sizes"]) > 2 else "--"
    band(ax, runs[name]["sizes"], runs[name]["accuracy"], label, colour, marker="o", linestyle=style)
ax.axhline(1 / 6, color=palette("black"), linestyle=":", label=t("chance"))
ax.set(xlabel=t("number of training images"), ylabel=t("test accuracy"), xscale="log", ylim=(0, 1))
ax.set_xticks([25, 50, 100, 200, 400, 800], [25, 50, 100, 200, 400, 800])
ax.minorticks_off()
ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
show(fig, alt=t(
    "Test accuracy against the number of labelled images for five methods; the fine-tuned networks are highest throughout.",
    "Dokładność testowa a liczba obrazów z etykietami dla pięciu metod; dostrojone sieci są zawsze najwyżej.",
))

# %%
at_800 = {name: [row[-1] for row in run["accuracy"]] for name, run in runs.items()}
rows = [(label, mean_pm(at_800[name])) for name, label in labels.items()]
table(rows, [t("method"), t("test accuracy")], caption=t("800 labelled images", "800 obrazów z etykietami"))

# %% [markdown] lang="en"
# Read the figure sideways: how many labels does each method need for the same accuracy? The small network, trained as briefly as this, needs all 800 images for what fine-tuning reaches with fewer than a hundred, and labels are what a factory pays for. (Trained for longer it gets better; where labels and time are plenty, it is a serious rival. The bands are wide where three seeds disagree.) The same
# large network from scratch is far behind: with so few images and steps it has only begun to learn to see. Training all layers is a little better still than the last blocks, but nothing can be cached then, and each step takes several times as long.
#
# **What others found.** He, Girshick and Dollár 2019 ([arXiv 1811.08883](https://arxiv.org/abs/1811.08883)) trained object detectors on COCO from scratch, and they ended no worse than pretrained ones, if only trained
# for longer, even on a tenth of the data. No contradiction: a tenth of COCO is still more than ten thousand images, with many objects in each. We have 800.
# %% [markdown] lang="pl"
# Odczytaj wykres w poziomie: ilu etykiet potrzebuje każda metoda, żeby osiągnąć tę samą dokładność? Mała sieć, trenowana tak krótko, potrzebuje wszystkich 800 obrazów, żeby osiągnąć to, do czego dostrajaniu wystarcza niecała setka, a to za etykiety płaci fabryka. (Trenowana dłużej, radzi sobie lepiej; tam, gdzie etykiet i czasu jest pod dostatkiem, to poważny rywal. Pasma są szerokie tam, gdzie trzy ziarna się nie zgadzają.) Ta sama
# duża sieć trenowana od zera zostaje daleko w tyle: przy tylu obrazach i krokach dopiero zaczyna uczyć się patrzeć. Trening wszystkich warstw jest jeszcze trochę lepszy niż ostatnich bloków, ale niczego nie da się wtedy policzyć zawczasu, a każdy krok trwa kilka razy dłużej.
#
# **Co stwierdzili inni.** He, Girshick i Dollár 2019 ([arXiv 1811.08883](https://arxiv.org/abs/1811.08883)) trenowali na zbiorze COCO detektory obiektów od zera i wypadły one nie gorzej niż wstępnie wytrenowane, jeśli tylko trening
# trwał dłużej, nawet na jednej dziesiątej danych. To nie sprzeczność: jedna dziesiąta COCO to wciąż ponad dziesięć tysięcy obrazów, z wieloma obiektami na każdym. My mamy 800.

# %% [markdown] lang="en"
# ## The batch normalisation trap
#
# In training mode batch normalisation uses the mean $\mu_B$ and the variance of the current batch $B$, and keeps running averages of both for later use, here of the mean:
#
# $$\mu \leftarrow (1 - m)\, \mu + m\, \mu_B ,$$
#
# with a momentum $m$. This is **no gradient step**. `requires_grad=False` stops the gradient and nothing else: the averages drift on, and the “frozen” network changes. (`.eval()` once is not enough: the next `.train()` undoes it.) Let us watch it. Both copies below have `requires_grad=False`. One is a plain
# `nn.Sequential`; the other a `LayerGroups`, which sends its frozen parts back to evaluation mode whenever a training loop calls `.train()`. Both see ordinary batches of eight boards. **Nothing is trained.** But the stored averages are those of ImageNet's photographs; with $m = 1/10$, ten batches replace $1 - (9/10)^{10} \approx 65\,\%$
# of them by those of the boards, and the probe was fitted to the old ones.
# %% [markdown] lang="pl"
# ## Pułapka normalizacji wsadowej
#
# W trybie treningu normalizacja wsadowa używa średniej $\mu_B$ i wariancji bieżącej paczki $B$, a na później przechowuje średnie kroczące (ang. *running averages*) obu, tutaj średniej:
#
# $$\mu \leftarrow (1 - m)\, \mu + m\, \mu_B ,$$
#
# gdzie $m$ to stały współczynnik. To **nie jest krok gradientu**. `requires_grad=False` zatrzymuje gradient i nic więcej: średnie dalej dryfują, a „zamrożona” sieć się zmienia. (Jednorazowe `.eval()` nie wystarczy: następne `.train()` je cofa.) Zobaczmy to. Obie kopie poniżej mają `requires_grad=False`. Jedna to zwykłe
# `nn.Sequential`, druga to `LayerGroups`, które odsyła swoje zamrożone części z powrotem do trybu ewaluacji, ilekroć pętla treningowa wywoła `.train()`. Obie dostają zwykłe paczki po osiem płytek. **Niczego nie trenujemy.** Ale zapisane średnie pochodzą z fotografii ImageNetu; przy $m = 1/10$ dziesięć paczek zastępuje $1 - (9/10)^{10} \approx 65\,\%$
# z nich średnimi płytek, a sondę dopasowano do starych.

# %%
show_source(LayerGroups.train)

# %%
networks = {
    "nn.Sequential": nn.Sequential(*copy.deepcopy(pretrained), copy.deepcopy(probe)),
    "LayerGroups": LayerGroups(*copy.deepcopy(pretrained), copy.deepcopy(probe)),
}
batches = train_maps[torch.randperm(800, generator=torch.Generator().manual_seed(0)), 0].split(8)[:25]
drift = {name: [] for name in networks}
for name, network in networks.items():
    network.requires_grad_(False)
    for step, batch in enumerate(batches):
        if step % 4 == 0:
            drift[name].append(evaluate(network, (test_maps[:200], test_labels[:200]))["accuracy"])
        network.train()
        network(batch.to(pick_device()))

fig, ax = plt.subplots(figsize=(7, 3.2))
for (name, accuracies), colour in zip(drift.items(), ("red", "blue")):
    ax.plot(range(0, len(batches), 4), accuracies, marker="o", color=palette(colour), label=name)
ax.set(xlabel=t("batches seen, none trained on", "obejrzane paczki, bez treningu"), ylabel=t("test accuracy"), ylim=(0, 1))
ax.legend()
show(fig, alt=t("The accuracy of the plain network falls within the first batches; that of LayerGroups stays where it was.",
                "Dokładność zwykłej sieci spada już w pierwszych paczkach; dokładność LayerGroups pozostaje bez zmian."))

# %% [markdown] lang="en"
# ## Explore: who learns how fast?
#
# Choose how many groups are unfrozen, and the factor $\eta$. Grey groups are frozen: their bar is the rate that they *would* have. With $\eta = 2.6$, how much slower is `block1`, eight groups before the head? (About $2.6^8 \approx 2100$ times.)
# %% [markdown] lang="pl"
# ## Zbadaj: kto jak szybko się uczy?
#
# Wybierz liczbę odmrożonych grup i czynnik $\eta$. Szare grupy są zamrożone: ich słupek to współczynnik, jaki *by* miały. Ile razy wolniej od głowicy uczy się przy $\eta = 2{,}6$ grupa `block1`, o osiem grup wcześniejsza? (Około $2{,}6^8 \approx 2100$ razy.)

# %% tags=["widget"]
parameters = {name: sum(p.numel() for p in group.parameters()) for name, group in model.layers.named_children()}


def draw(unfrozen, decay):
    rates, groups = discriminative_rates(8e-3, len(parameters), decay), list(parameters)
    trained = groups[-unfrozen - 1 :]
    fig, ax = plt.subplots(figsize=(8, 3.2))
    ax.bar(groups, rates, color=[palette("blue" if group in trained else "grey") for group in groups])
    ax.set(yscale="log", ylim=(1e-8, 2e-2), ylabel=t("learning rate"))
    total = sum(parameters[group] for group in trained)
    ax.set_title(t(f"{total:,} trainable parameters", f"{total:,} trenowanych parametrów".replace(",", " ")))
    return fig, t(f"Number of trained groups: {len(trained)}; rates from {rates[-unfrozen - 1]:.1e} to {rates[-1]:.1e}.",
                  f"Liczba trenowanych grup: {len(trained)}; współczynniki od {rates[-unfrozen - 1]:.1e} do {rates[-1]:.1e}.")


sliders = {"unfrozen": t("unfrozen groups", "odmrożone grupy"), "decay": "η"}
explorer = explore(draw, unfrozen=(0, 9, 1), decay=(1.0, 4.0, 0.05), labels=sliders)
explorer.controls["unfrozen"].value, explorer.controls["decay"].value = 3, 1.25
explorer

# %% [markdown] lang="en"
# ## When it fails
#
# Fine-tuning has a knob that the probe has not: the rate. We train with 50 images and only 20 steps, at three rates of the head, and compare with the probe on the same 50.
# %% [markdown] lang="pl"
# ## Kiedy to zawodzi
#
# Dostrajanie ma pokrętło, którego sonda nie ma: współczynnik uczenia. Trenujemy na 50 obrazach, tylko przez 20 kroków, z trzema współczynnikami dla głowicy, i porównujemy z sondą na tych samych 50.

# %%
few = torch.randperm(800, generator=torch.Generator().manual_seed(1))[:50]


def tuned_on_few(lr):
    small = TransferLearningModel(len(CLASSES))
    small.unfreeze_layers(3)
    _, part = small.split()
    optimizer = torch.optim.AdamW(small.parameter_groups(lr, decay=1.25), weight_decay=0.01)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [group["lr"] for group in optimizer.param_groups], total_steps=10 * 2
    )
    fit(part, (train_maps[few], train_labels[few]), optimizer=optimizer, scheduler=scheduler, epochs=10, augment=random_view)
    return evaluate(part, (test_maps, test_labels))["accuracy"]


few_probe = evaluate(linear_probe(features[few], train_labels[few]), (test_features, test_labels))["accuracy"]
by_rate = {rate: tuned_on_few(rate) for rate in (8e-5, 8e-3, 8e-2)}
rows = [(t(f"fine-tuned, rate {rate:.0e}", f"dostrojona, współczynnik {rate:.0e}"), reached) for rate, reached in by_rate.items()]
table([*rows, (t("linear probe"), few_probe)], [t("method"), t("test accuracy")], caption=t("50 labelled images", "50 obrazów z etykietami"))

# %% [markdown] lang="en"
# At the lowest rate the head has hardly left its random start. At the highest the pretrained weights are thrown away, and the result is *worse than the probe*. In between, so few steps about draw level with it; with more of them, as in the figure above, fine-tuning gains some points even on 50 images. But which
# rate, and how many steps? To choose, you need validation images, and of 50 there are few to spare. The probe has no such knob and takes a tenth of a second. Begin with it: it is the number to beat.
# %% [markdown] lang="pl"
# Przy najniższym współczynniku głowica prawie nie ruszyła się z losowego startu. Przy najwyższym wagi wstępnie wytrenowane ulegają zniszczeniu i wynik jest *gorszy niż sonda*. Pośrodku tak niewiele kroków mniej więcej dorównuje sondzie; gdy jest ich więcej, jak na wykresie powyżej, dostrajanie zyskuje kilka punktów nawet na 50 obrazach. Ale
# jaki współczynnik i ile kroków? Żeby wybrać, potrzebujesz obrazów walidacyjnych, a z 50 niewiele da się odłożyć. Sonda nie ma takiego pokrętła i liczy się w dziesiątej części sekundy. Zacznij od niej: to wynik do pobicia.

# %% [markdown] lang="en"
# ## In robotics
#
# Julian et al. 2020 ([arXiv 2004.10190](https://arxiv.org/abs/2004.10190)) took a grasping policy that had learned from 580,000 grasps of real robot arms. Then something changed: the light, the background, the objects, the gripper. Fine-tuning adapted the policy
# with less than 0.2 % of the data that learning from scratch had needed. And a warning: starting from *ImageNet* features instead of the grasping policy failed with so few data. Features that serve inspection need not serve control.
# %% [markdown] lang="pl"
# ## W robotyce
#
# Julian i in. 2020 ([arXiv 2004.10190](https://arxiv.org/abs/2004.10190)) wzięli politykę (ang. *policy*) chwytania wytrenowaną na 580 000 chwytów wykonanych przez prawdziwe ramiona robotów. Potem coś się zmieniło: światło, tło, przedmioty, chwytak. Dostrajanie przystosowało do tego politykę;
# wystarczyło niecałe 0,2 % danych, których wymagała nauka od zera. I ostrzeżenie: gdy zamiast od polityki chwytania zaczęto od cech z *ImageNetu*, tak mało danych nie wystarczyło. Cechy dobre do kontroli płytek nie muszą być dobre do sterowania.

# %% [markdown] lang="en"
# ## Exercises
#
# **1. Discriminative rates.** Return the list of rates $\alpha_1, \dots, \alpha_L$ for `groups` groups, from the stem to the head, which gets `lr`; `decay` is $\eta$.
# %% [markdown] lang="pl"
# ## Ćwiczenia
#
# **1. Zróżnicowane współczynniki uczenia.** Zwróć listę $\alpha_1, \dots, \alpha_L$ dla `groups` grup, od początku sieci do głowicy, która dostaje `lr`; `decay` to $\eta$.

# %% tags=["exercise"]
def rates_of(lr, groups, decay):
    return ...


# %% [markdown] lang="en" tags=["hint"]
# The head is the last in the list and its rate is divided by nothing, so the exponent is 0. The nearer to the stem, the larger the exponent.
# %% [markdown] lang="pl" tags=["hint"]
# Głowica jest ostatnia na liście, a jej współczynnika przez nic się nie dzieli, więc wykładnik to 0. Im bliżej początku sieci, tym większy wykładnik.

# %% tags=["check"]
check("rates_of", rates_of)


# %% tags=["solution"]
def rates_of(lr, groups, decay):
    return [lr / decay ** (groups - 1 - group) for group in range(groups)]


# %% [markdown] lang="en"
# **2. Freeze a module.** Switch off its gradients, and let its batch normalisation use the stored averages. Return the module. (The next `.train()` undoes the second half; that is why `LayerGroups` overrides it.)
# %% [markdown] lang="pl"
# **2. Zamróź moduł.** Wyłącz jego gradienty i spraw, żeby jego normalizacja wsadowa używała zapisanych średnich. Zwróć ten moduł. (Następne `.train()` cofa to drugie; dlatego `LayerGroups` je nadpisuje.)

# %% tags=["exercise"]
def frozen_module(module):
    return ...


# %% [markdown] lang="en" tags=["hint"]
# Two things: `requires_grad_(False)` for the gradient, and the mode in which batch normalisation uses its running averages instead of the batch.
# %% [markdown] lang="pl" tags=["hint"]
# Potrzebne są dwie rzeczy: `requires_grad_(False)`, żeby wyłączyć gradient, oraz tryb, w którym normalizacja wsadowa zamiast paczki używa średnich kroczących.

# %% tags=["check"]
check("frozen_module", frozen_module)


# %% tags=["solution"]
def frozen_module(module):
    module.requires_grad_(False)
    return module.eval()


# %% [markdown] lang="en"
# ## Quiz
# %% [markdown] lang="pl"
# ## Quiz

# %% tags=["quiz"]
quiz(
    Quiz(
        t("Why do the first layers get the lowest rates?", "Dlaczego pierwsze warstwy dostają najmniejsze współczynniki uczenia?"),
        [
            (t("They have the most parameters.", "Mają najwięcej parametrów."), False,
             t("In this network they have the fewest; go from 8 to 9 unfrozen groups above and see.",
               "W tej sieci mają ich najmniej; zmień powyżej liczbę odmrożonych grup z 8 na 9 i zobacz.")),
            (t("Edges and textures serve any task, so they are nearly right already.",
               "Krawędzie i tekstury służą każdemu zadaniu, więc są już prawie dobre."), True,
             t("Yes: general layers need little change, specific ones more.",
               "Tak: warstwy ogólne wymagają małych zmian, wyspecjalizowane większych.")),
            (t("Their gradients cannot be computed.", "Nie da się policzyć ich gradientów."), False,
             t("They can; “all layers” in the figure did just that.", "Da się; tak właśnie powstała linia „wszystkie warstwy” na wykresie.")),
        ],
    ),
    Quiz(
        t("A layer is frozen by `requires_grad=False`, and the model is in training mode. What may still change?",
          "Warstwę zamraża `requires_grad=False`, a model jest w trybie treningu. Co jeszcze może się zmienić?"),
        [
            (t("Nothing.", "Nic."), False,
             t("The red line in this lesson fell without a single gradient step.",
               "Czerwona linia w tej lekcji spadła bez ani jednego kroku gradientu.")),
            (t("Its convolution kernels.", "Jej filtry splotowe."), False,
             t("These are parameters; without gradient no optimizer touches them.",
               "To parametry; bez gradientu żaden optymalizator ich nie ruszy.")),
            (t("The running averages of its batch normalisation.", "Średnie kroczące jej normalizacji wsadowej."), True,
             t("Yes: they are updated by the forward pass, not by a gradient.",
               "Tak: aktualizuje je samo przejście w przód, a nie gradient.")),
        ],
    ),
    Quiz(
        t("You have 25 labelled images and one hour. What do you try first?", "Masz 25 obrazów z etykietami i godzinę. Od czego zaczniesz?"),
        [
            (t("A linear probe.", "Od sondy liniowej."), True,
             t("Yes: it has no rate to tune, takes a second, and tells what any other method must beat.",
               "Tak: nie ma współczynnika do dobrania, liczy się w sekundę i daje wynik, który inne metody muszą pobić.")),
            (t("Fine-tuning all layers.", "Od dostrajania wszystkich warstw."), False,
             t("Millions of parameters, 25 labels, and a rate to choose without validation data.",
               "Miliony parametrów, 25 etykiet i współczynnik, którego nie ma na czym dobrać.")),
            (t("A small network from scratch.", "Od małej sieci trenowanej od zera."), False,
             t("In the figure it needs hundreds of labels before it is of use.",
               "Na wykresie potrzebuje setek etykiet, zanim stanie się przydatna.")),
        ],
    ),
    Quiz(
        t("With $\\alpha h = 3$ along some direction, what happens to the deviation from the minimum?",
          "Gdy wzdłuż pewnego kierunku $\\alpha h = 3$, co się dzieje z odchyleniem od minimum?"),
        [
            (t("It shrinks three times faster.", "Maleje trzy razy szybciej."), False,
             t("The factor is $1 - \\alpha h = -2$, not a third.", "Czynnik to $1 - \\alpha h = -2$, a nie jedna trzecia.")),
            (t("It doubles at every step, and changes its sign.", "W każdym kroku się podwaja i zmienia znak."), True,
             t("Yes: $(1 - 3)^t = (-2)^t$.", "Tak: $(1 - 3)^t = (-2)^t$.")),
            (t("It stays as it is.", "Pozostaje bez zmian."), False,
             t("That is the case of $\\alpha h \\approx 0$.", "Tak jest, gdy $\\alpha h \\approx 0$.")),
        ],
    ),
)

# %% [markdown] lang="en"
# ## What we saw
#
# - Take, replace the head, choose what may change, train: fine-tuning beats the probe and, by far, training from scratch.
# - Rate times steps decides how much of the start survives; too large a rate is worse than the probe.
# - A frozen part must stay in evaluation mode, too, or its averages drift with every batch.
# - With few labels there is nothing to choose the rate with: begin with the probe, and try to beat it.
#
# The numbers of this run and of the recorded ones have to bear this out:
# %% [markdown] lang="pl"
# ## Podsumowanie
#
# - Weź, wymień głowicę, wybierz, co może się zmieniać, trenuj: dostrajanie wygrywa z sondą, a z treningiem tej samej sieci od zera wyraźnie.
# - Współczynnik razy liczba kroków decyduje, ile zostanie ze startu; ze zbyt dużym współczynnikiem wynik jest gorszy niż sonda.
# - Zamrożona część musi też być w trybie ewaluacji, inaczej jej średnie dryfują z każdą paczką.
# - Gdy etykiet jest mało, nie ma na czym dobrać współczynnika: zacznij od sondy i spróbuj ją pobić.
#
# Liczby z tego uruchomienia i z zapisanych przebiegów muszą to potwierdzać:

# %% tags=["claim"]
claim(t("Accuracy after fine-tuning, this run", "Dokładność po dostrojeniu, to uruchomienie"),
      accuracy, at_least=0.90)
claim(t("Above the linear probe, this run", "Przewaga nad sondą liniową, to uruchomienie"),
      accuracy - probe_accuracy, at_least=0.08)
scratch = min(a - b for a, b in zip(at_800["last blocks"], at_800["from scratch"]))
claim(t("Above training from scratch, the worst recorded seed", "Przewaga nad treningiem od zera, najgorsze zapisane ziarno"),
      scratch, at_least=0.30)
small = [a[2] - b[2] for a, b in zip(runs["last blocks"]["accuracy"], runs["small network"]["accuracy"])]
claim(t("Above the small network at 100 images, the worst recorded seed", "Przewaga nad małą siecią przy 100 obrazach, najgorsze zapisane ziarno"),
      min(small), at_least=0.10)
few_labels = sum(row[4] for row in runs["last blocks"]["accuracy"]) / 3
claim(t("Fine-tuned on 400 images against the small network on 800", "Dostrojona na 400 obrazach wobec małej sieci na 800"),
      few_labels - sum(at_800["small network"]) / 3, at_least=0.0)
claim(t("All layers above the last blocks at 800, on average", "Wszystkie warstwy ponad ostatnimi blokami przy 800, średnio"),
      sum(at_800["all layers"]) / 3 - sum(at_800["last blocks"]) / 3, at_least=0.0)
claim(t("Accuracy lost by drift, nn.Sequential", "Dokładność stracona przez dryf, nn.Sequential"),
      drift["nn.Sequential"][0] - drift["nn.Sequential"][-1], at_least=0.10)
claim(t("The same, LayerGroups", "To samo, LayerGroups"),
      abs(drift["LayerGroups"][0] - drift["LayerGroups"][-1]), at_most=0)
claim(t("Too large a rate loses to the probe by", "Zbyt duży współczynnik przegrywa z sondą o"),
      few_probe - by_rate[8e-2], at_least=0.05)

# %% [markdown] lang="en"
# ## Where to go next
#
# - Yosinski et al. 2014, *How transferable are features in deep neural networks?*, [arXiv 1411.1792](https://arxiv.org/abs/1411.1792)
# - Howard and Ruder 2018, *Universal Language Model Fine-tuning for Text Classification*, [arXiv 1801.06146](https://arxiv.org/abs/1801.06146)
# - He, Girshick and Dollár 2019, *Rethinking ImageNet Pre-training*, [arXiv 1811.08883](https://arxiv.org/abs/1811.08883)
# - Julian et al. 2020, *Never Stop Learning: The Effectiveness of Fine-Tuning in Robotic Reinforcement Learning*, [arXiv 2004.10190](https://arxiv.org/abs/2004.10190)
# %% [markdown] lang="pl"
# ## Co dalej
#
# - Yosinski i in. 2014, *How transferable are features in deep neural networks?*, [arXiv 1411.1792](https://arxiv.org/abs/1411.1792)
# - Howard i Ruder 2018, *Universal Language Model Fine-tuning for Text Classification*, [arXiv 1801.06146](https://arxiv.org/abs/1801.06146)
# - He, Girshick i Dollár 2019, *Rethinking ImageNet Pre-training*, [arXiv 1811.08883](https://arxiv.org/abs/1811.08883)
# - Julian i in. 2020, *Never Stop Learning: The Effectiveness of Fine-Tuning in Robotic Reinforcement Learning*, [arXiv 2004.10190](https://arxiv.org/abs/2004.10190)
