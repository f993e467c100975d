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
# With 800 labelled images a network from scratch is helpless and frozen features are mediocre. Let a pretrained network change a little, and it
# is right in more than nine cases out of ten.
#
# **After this lesson you will be able to**
#
# - fine-tune a pretrained network in four steps: take it, replace the head, choose what may change, train,
# - choose learning rates for its layers, and explain by one formula why a small rate keeps what pretraining knew,
# - freeze a part of a network *completely*, batch normalisation included,
# - say when fine-tuning is not worth it.
#
# **You need**: [lesson 01](01_feature_extraction.ipynb), gradients, eigenvalues. **Time**: about 50 minutes; the code runs in just
# under a minute. New words are explained in the glossary of [lesson 00](00_start.ipynb).
# %% [markdown] lang="pl"
# # Dostrajanie
#
# Mając 800 obrazów z etykietami, sieć trenowana od zera jest bezradna, a zamrożone cechy przeciętne. Pozwól modelowi wstępnie wytrenowanemu
# trochę się zmienić, a będzie miał rację w ponad dziewięciu przypadkach na dziesięć.
#
# **Po tej lekcji będziesz umieć**
#
# - dostroić model wstępnie wytrenowany w czterech krokach: wziąć go, wymienić głowicę, wybrać, co może się zmieniać, i trenować,
# - dobrać współczynniki uczenia do jego warstw i jednym wzorem wyjaśnić, dlaczego mały współczynnik zachowuje wiedzę z treningu wstępnego,
# - zamrozić część sieci *całkowicie*, razem z normalizacją wsadową,
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
import torch.nn.functional as F
from torch import nn

from tlcourse.classroom import (
    Prediction, Quiz, band, check, claim, confusion, explore, mean_pm, palette, quiz, recorded, show, show_source, table, text,
)
from tlcourse.data.boards import CLASS_NAMES, CLASSES, load_boards
from tlcourse.feature_extraction import linear_probe
from tlcourse.fine_tuning import LayerGroups, TransferLearningModel, dihedral, discriminative_rates, freeze, random_view
from tlcourse.training import evaluate, fit, predict

# %% [markdown] lang="en"
# ## The idea
#
# A pianist takes up the organ. She does not learn music anew: her ear, her fingers and her sense of harmony stay. The pedals and the stops are new, and
# these she practises hard. Her touch has to change a little, and she changes it slowly, so as not to spoil what she can do.
#
# Fine-tuning (sometimes “warm start”) treats a network in this way:
#
# 1. **take** a pretrained network,
# 2. **replace the head**: the old one names ImageNet's classes; a new, random one will name ours,
# 3. **choose what may change**: the last layers, which are specific to the old task; the first ones, with their edges and textures, serve any task,
# 4. **train** with small learning rates, the smaller the earlier the layer.
# %% [markdown] lang="pl"
# ## Pomysł
#
# Pianistka zaczyna grać na organach. Nie uczy się muzyki od nowa: słuch, palce i wyczucie harmonii zostają. Nowe są pedały i rejestry, i to
# je ćwiczy najpilniej. Uderzenie musi się trochę zmienić, więc zmienia je powoli, żeby nie zepsuć tego, co już umie.
#
# Dostrajanie (ang. *fine-tuning*) traktuje tak samo sieć:
#
# 1. **weź** model wstępnie wytrenowany,
# 2. **wymień głowicę**: stara nazywa klasy ImageNetu; nowa, losowa, będzie nazywać nasze,
# 3. **wybierz, co może się zmieniać**: ostatnie warstwy, bo są swoiste dla starego zadania; pierwsze, z krawędziami i teksturami, służą każdemu,
# 4. **trenuj** z małymi współczynnikami uczenia, tym mniejszymi, im wcześniejsza warstwa.

# %% [markdown] lang="en"
# ## The mathematics
#
# Let $\theta$ be the weights that may change, head included, and $J(\theta)$ the mean cross-entropy on the labelled images. Fine-tuning is ordinary gradient descent,
#
# $$\theta' = \theta - \alpha \nabla J(\theta),$$
#
# with learning rate $\alpha$. The only news is where it **starts**: at the pretrained weights $\theta_0$, not at random ones. Why should the start matter, if
# the end is a minimum of the same $J$?
#
# **The step that matters.** Look at $J$ near a minimum $\theta^*$, where it is nearly a parabola with the matrix of second derivatives $H$. Then
# $\nabla J(\theta) = H (\theta - \theta^*)$, so one step gives $\theta' - \theta^* = (I - \alpha H)(\theta - \theta^*)$, and after $t$ steps
#
# $$\theta_t - \theta^* = (I - \alpha H)^t \, (\theta_0 - \theta^*).$$
#
# Along an eigenvector of $H$ with eigenvalue $h$ the distance to the minimum shrinks by the factor $(1 - \alpha h)^t$. Three cases:
#
# - $h \approx 0$: the few labelled images say nothing about this direction. The factor is near 1: it **stays as pretraining left it**.
# - $0 < \alpha h < 2$: the images do say something. The direction is learned, the faster the larger $\alpha h$ is, up to 1.
# - $\alpha h > 2$: the factor grows without bound. Too large a rate **throws the pretrained weights away**.
# %% [markdown] lang="pl"
# ## Matematyka
#
# Niech $\theta$ oznacza wagi, które mogą się zmieniać, razem z głowicą, a $J(\theta)$ średnią entropię krzyżową na obrazach z etykietami. Dostrajanie to zwykła metoda gradientu prostego,
#
# $$\theta' = \theta - \alpha \nabla J(\theta),$$
#
# ze współczynnikiem uczenia $\alpha$. Nowe jest tylko to, skąd **startuje**: z wag wstępnie wytrenowanych $\theta_0$, a nie z losowych. Dlaczego start miałby mieć
# znaczenie, skoro na końcu jest minimum tego samego $J$?
#
# **Najważniejszy krok.** Spójrz na $J$ w pobliżu minimum $\theta^*$, gdzie jest prawie paraboloidą o macierzy drugich pochodnych $H$. Wtedy
# $\nabla J(\theta) = H (\theta - \theta^*)$, więc jeden krok daje $\theta' - \theta^* = (I - \alpha H)(\theta - \theta^*)$, a po $t$ krokach
#
# $$\theta_t - \theta^* = (I - \alpha H)^t \, (\theta_0 - \theta^*).$$
#
# Wzdłuż wektora własnego $H$ o wartości własnej $h$ odległość od minimum zmienia się o czynnik $(1 - \alpha h)^t$. Są trzy przypadki:
#
# - $h \approx 0$: nieliczne obrazy nic nie mówią o tym kierunku. Czynnik jest bliski 1: wszystko **zostaje tak, jak po treningu wstępnym**.
# - $0 < \alpha h < 2$: obrazy coś mówią. Sieć uczy się tego kierunku tym szybciej, im większe jest $\alpha h$, aż do 1.
# - $\alpha h > 2$: czynnik rośnie bez ograniczeń. Zbyt duży współczynnik **wyrzuca wagi wstępnie wytrenowane**.

# %% [markdown] lang="en"
# **Discriminative rates.** The head is random and has far to go, the first layers are nearly right. So give each layer group its own rate (Howard and Ruder 2018,
# [arXiv 1801.06146](https://arxiv.org/abs/1801.06146)): with $L$ groups, the head being group $L$, and a factor $\eta \ge 1$,
#
# $$\alpha_l = \frac{\alpha_L}{\eta^{\,L - l}}, \qquad l = 1, \dots, L .$$
#
# Their text classifier has three layers and $\eta = 2.6$. Our network has ten groups, and the same factor would all but freeze the lower half: we take $\eta = 1.25$.
# %% [markdown] lang="pl"
# **Zróżnicowane współczynniki uczenia** (ang. *discriminative learning rates*). Głowica jest losowa i ma przed sobą daleką drogę, a pierwsze warstwy są już prawie dobre. Daj więc każdej
# grupie warstw własny współczynnik uczenia (Howard i Ruder 2018, [arXiv 1801.06146](https://arxiv.org/abs/1801.06146)): gdy grup jest $L$, głowica jest grupą $L$, a $\eta \ge 1$ to stały czynnik,
#
# $$\alpha_l = \frac{\alpha_L}{\eta^{\,L - l}}, \qquad l = 1, \dots, L .$$
#
# Ich klasyfikator tekstu ma trzy warstwy i $\eta = 2{,}6$. Nasza sieć ma dziesięć grup i ten sam czynnik prawie zamroziłby jej dolną połowę: bierzemy $\eta = 1{,}25$.

# %% [markdown] lang="en"
# ## Before you run: predict
#
# In lesson 01 a linear probe on frozen features reached a bit less than 80 %. Now the last three of nine layer groups may change.
# %% [markdown] lang="pl"
# ## Zanim uruchomisz: zgadnij
#
# W lekcji 01 sonda liniowa na zamrożonych cechach osiągnęła niecałe 80 %. Teraz mogą się zmieniać trzy ostatnie z dziewięciu grup warstw.

# %% tags=["predict"]
guess = Prediction(
    t("What accuracy will fine-tuning reach on the test boards?", "Jaką dokładność da dostrajanie na płytkach testowych?"),
    low=0, high=100, unit="%",
)
guess

# %% [markdown] lang="en"
# ## The code
#
# The model of the package is a row of layer groups with a new head. Unfreezing counts from the head down:
# %% [markdown] lang="pl"
# ## Kod
#
# Model z pakietu to szereg grup warstw z nową głowicą. Odmrażanie liczy się od głowicy w dół:

# %%
show_source(TransferLearningModel.unfreeze_layers, freeze, discriminative_rates)

# %% [markdown] lang="en"
# And this is the training loop, whole. You could write it yourself: batches, loss, gradient, step; around them what makes a run repeatable.
# %% [markdown] lang="pl"
# A oto cała pętla treningowa. Można ją napisać samemu: paczki, strata, gradient, krok; dookoła to, dzięki czemu przebieg da się powtórzyć.

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
# board may lie in the machine any way round; we therefore keep four views of each, turned by 90°, and training picks one at random: *data augmentation* at no cost.
# %% [markdown] lang="pl"
# Oto liczby trenowanych parametrów w grupach: w pierwszych sześciu nie ma żadnych. To, co zamrożone grupy robią z obrazu, nigdy się nie zmienia, więc policz to **raz**. Płytka
# może leżeć w maszynie w dowolnym ustawieniu; dlatego zachowujemy cztery widoki każdej, obrócone o 90°, a trening losuje jeden z nich: *augmentacja danych* za darmo.

# %%
frozen, rest = model.split()
views = dihedral(train_images, range(4))
train_maps = predict(frozen, views.flatten(0, 1), progress=True).unflatten(0, views.shape[:2])
test_maps = predict(frozen, test_images)
train_maps.shape

# %%
# en: First the probe of lesson 01: what the untouched groups make of the same maps.
# pl: Najpierw sonda z lekcji 01: to, co nietknięte grupy robią z tych samych map.
features, test_features = (predict(rest[:-1], maps) for maps in (train_maps[:, 0], test_maps))
probe = linear_probe(features, train_labels)
pretrained = copy.deepcopy(rest[:-1])
probe_accuracy = evaluate(probe, (test_features, test_labels))["accuracy"]

# %% [markdown] lang="en"
# Now the training itself: an optimizer with a rate for each group, rates that first rise and then fall, ten epochs. Label smoothing asks for a
# probability of 0.9 instead of 1 for the true class, so that the network does not become too sure.
# %% [markdown] lang="pl"
# Teraz sam trening: optymalizator z osobnym współczynnikiem uczenia dla każdej grupy, współczynniki, które najpierw rosną, a potem maleją, dziesięć epok. Wygładzanie etykiet
# żąda dla prawdziwej klasy prawdopodobieństwa 0,9 zamiast 1, żeby sieć nie była zbyt pewna siebie.

# %%
optimizer = torch.optim.AdamW(model.parameter_groups(lr=8e-3, decay=1.25), weight_decay=0.01)
rates = [group["lr"] for group in optimizer.param_groups]
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=10 * 25)
history = fit(
    rest, (train_maps, train_labels), (test_maps, test_labels),
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
show(fig, alt=t("Both losses fall over ten epochs; the test accuracy passes the linear probe within a few.",
                "Obie straty maleją przez dziesięć epok; dokładność testowa po kilku z nich przekracza sondę liniową."))

# %% [markdown] lang="en"
# The test set was only watched here, never used to stop or to choose: what we report is the last epoch. Choosing the best epoch *on the test set* is a common way of fooling oneself.
#
# Which boards are still confused?
# %% [markdown] lang="pl"
# Zbiór testowy był tu tylko obserwowany i nie służył do zatrzymania ani wyboru: podajemy wynik z ostatniej epoki. Wybór najlepszej epoki *na zbiorze testowym* to częsty sposób oszukiwania samego siebie.
#
# Które płytki wciąż się mylą?

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
# One run proves little, and training from scratch takes longer than a lesson may. So the next figure shows recorded runs over several seeds, with five ways to learn:
#
# - **linear probe**, as in lesson 01,
# - **last blocks**: what you have just done,
# - **all layers** fine-tuned with discriminative rates,
# - **from scratch**: the same network from random weights, with just as many gradient steps,
# - **small network**: five convolutions made for this task, from random weights, with twice as many steps.
# %% [markdown] lang="pl"
# ### Ile etykiet oszczędza trening wstępny?
#
# Jeden przebieg niewiele dowodzi, a trening od zera trwa dłużej, niż wolno lekcji. Następny wykres pokazuje więc zapisane przebiegi dla kilku ziaren losowości i pięciu sposobów uczenia:
#
# - **sonda liniowa**, jak w lekcji 01,
# - **ostatnie bloki**: to, co przed chwilą działo się tutaj,
# - **wszystkie warstwy** dostrojone ze zróżnicowanymi współczynnikami uczenia,
# - **od zera**: ta sama sieć z losowymi wagami i z tyloma samymi krokami gradientu,
# - **mała sieć**: pięć splotów stworzonych do tego zadania, z losowymi wagami i dwukrotnie większą liczbą kroków.

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
    band(ax, runs[name]["sizes"], runs[name]["accuracy"], label, colour, marker="o")
ax.axhline(1 / 6, color=palette("black"), linestyle=":", label=t("chance"))
ax.set(xlabel=t("number of training images"), ylabel=t("test accuracy"), xscale="log", ylim=(0, 1))
ax.set_xticks([25, 50, 100, 200, 400, 800], [25, 50, 100, 200, 400, 800])
ax.minorticks_off()
ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
show(fig, alt=t(
    "Test accuracy against the number of labelled images for five methods; fine-tuning the last blocks is highest throughout.",
    "Dokładność testowa a liczba obrazów z etykietami dla pięciu metod; dostrojone ostatnie bloki są zawsze najwyżej.",
))

# %%
at_800 = {name: [row[-1] for row in run["accuracy"]] for name, run in runs.items()}
rows = [(label, mean_pm(at_800[name])) for name, label in labels.items()]
rows.append((t("from scratch, three times as many steps", "od zera, trzy razy więcej kroków"), mean_pm(at_800["from scratch, longer"])))
table(rows, [t("method"), t("test accuracy")], caption=t("800 labelled images", "800 obrazów z etykietami"))

# %% [markdown] lang="en"
# Read the figure sideways. The small network is no fool: with 800 images it comes close. But what fine-tuning reaches with 200 labels costs it about 800, and labels are what a factory pays for. The
# same large network from scratch has hardly begun to learn; given three times as many steps it gets somewhere, and still loses.
#
# **What others found.** He, Girshick and Dollár 2019 ([arXiv 1811.08883](https://arxiv.org/abs/1811.08883)) trained object detectors on COCO from scratch, and they ended no worse than pretrained ones, if only trained
# for longer, even on a tenth of the data. No contradiction: a tenth of COCO is still more than ten thousand images, with many objects in each. We have 800.
# %% [markdown] lang="pl"
# Przeczytaj wykres w poprzek. Mała sieć nie jest głupia: przy 800 obrazach podchodzi blisko. Ale to, co dostrajanie osiąga z 200 etykietami, kosztuje ją około 800, a właśnie za etykiety płaci fabryka. Ta sama
# duża sieć trenowana od zera ledwie zaczęła się uczyć; po trzykrotnie większej liczbie kroków coś już umie, a i tak przegrywa.
#
# **Co stwierdzili inni.** He, Girshick i Dollár 2019 ([arXiv 1811.08883](https://arxiv.org/abs/1811.08883)) trenowali na zbiorze COCO detektory obiektów od zera i nie wypadły one gorzej niż wstępnie wytrenowane, jeśli tylko trening
# trwał dłużej, nawet na jednej dziesiątej danych. To nie sprzeczność: jedna dziesiąta COCO to wciąż ponad dziesięć tysięcy obrazów, z wieloma obiektami na każdym. My mamy 800.

# %% [markdown] lang="en"
# ## The batch normalisation trap
#
# In training mode batch normalisation uses the mean $\mu_B$ and the variance of the current batch $B$, and keeps running averages for later:
#
# $$\mu \leftarrow (1 - m)\, \mu + m\, \mu_B ,$$
#
# with a momentum $m$. This is **no gradient step**. `requires_grad=False` stops the gradient and nothing else: the averages drift on, and the “frozen” network changes. Let us watch it. One copy is frozen by
# `requires_grad` only, the other by `freeze` in a `LayerGroups`. Both see batches of the production line: eight images of one class at a time. **Nothing is trained.**
# %% [markdown] lang="pl"
# ## Pułapka normalizacji wsadowej
#
# W trybie treningu normalizacja wsadowa (ang. *batch normalization*) używa średniej $\mu_B$ i wariancji bieżącej paczki $B$, a na później przechowuje średnie kroczące:
#
# $$\mu \leftarrow (1 - m)\, \mu + m\, \mu_B ,$$
#
# gdzie $m$ to stały czynnik. To **nie jest krok gradientu**. `requires_grad=False` zatrzymuje gradient i nic więcej: średnie płyną dalej, a „zamrożona” sieć się zmienia. Zobaczmy to. Jedną kopię zamraża
# tylko `requires_grad`, drugą `freeze` w `LayerGroups`. Obie widzą paczki prosto z taśmy: po osiem obrazów jednej klasy. **Niczego nie trenujemy.**

# %%
# en: Plain torch does not know that a part is frozen; LayerGroups does.
# pl: Zwykły torch nie wie, że część sieci jest zamrożona; LayerGroups wie.
careless = nn.Sequential(*copy.deepcopy(pretrained), probe)
careless.requires_grad_(False)
careful = LayerGroups(*copy.deepcopy(pretrained), probe)
freeze(careful)

one_class_each = train_maps[train_labels.argsort(stable=True), 0].split(8)
order = torch.randperm(len(one_class_each), generator=torch.Generator().manual_seed(0))
drift = {"careless": [], "careful": []}
for step, batch in enumerate(order):
    if step % 10 == 0:
        for name, network in (("careless", careless), ("careful", careful)):
            drift[name].append(evaluate(network, (test_maps[:200], test_labels[:200]))["accuracy"])
    for network in (careless, careful):
        network.train()
        network(one_class_each[batch])

# %%
fig, ax = plt.subplots(figsize=(7, 3.2))
steps = range(0, len(order), 10)
ax.plot(steps, drift["careful"], marker="o", color=palette("blue"), label="freeze")
ax.plot(steps, drift["careless"], marker="o", color=palette("red"), label="requires_grad=False")
ax.set(xlabel=t("batches seen, none trained on", "obejrzane paczki, bez treningu"), ylabel=t("test accuracy"), ylim=(0, 1))
ax.legend()
show(fig, alt=t("The accuracy of the carelessly frozen network falls batch by batch; the other stays where it was.",
                "Dokładność niedbale zamrożonej sieci spada z paczki na paczkę; druga pozostaje bez zmian."))

# %% [markdown] lang="en"
# ## Explore: who learns how fast?
#
# Choose how many groups are unfrozen and the factor $\eta$. Grey groups are frozen. With $\eta = 2.6$, how much slower is the first block than the head?
# %% [markdown] lang="pl"
# ## Zbadaj: kto się uczy jak szybko?
#
# Wybierz, ile grup jest odmrożonych i ile wynosi czynnik $\eta$. Szare grupy są zamrożone. Ile razy wolniej od głowicy uczy się pierwszy blok przy $\eta = 2{,}6$?

# %% tags=["widget"]
parameters = {name: sum(p.numel() for p in group.parameters()) for name, group in model.layers.named_children()}


def draw(unfrozen, decay):
    rates, groups = discriminative_rates(8e-3, len(parameters), decay), list(parameters)
    trained = groups[-unfrozen - 1 :]
    fig, ax = plt.subplots(figsize=(8, 3.2))
    ax.bar(groups, rates, color=[palette("blue" if group in trained else "grey") for group in groups])
    ax.set(yscale="log", ylim=(1e-7, 1e-2), ylabel=t("learning rate"))
    total = sum(parameters[group] for group in trained)
    ax.set_title(t(f"{total:,} trainable parameters", f"{total:,} trenowanych parametrów".replace(",", " ")))
    return fig, t(f"Rates of {len(trained)} trained groups, from {rates[-unfrozen - 1]:.1e} to {rates[-1]:.1e}.",
                  f"Współczynniki {len(trained)} trenowanych grup, od {rates[-unfrozen - 1]:.1e} do {rates[-1]:.1e}.")


explore(draw, unfrozen=[3, 0, 1, 2, 4, 5, 6, 7, 8, 9], decay=(1.0, 4.0, 0.05),
        labels={"unfrozen": t("unfrozen groups", "odmrożone grupy"), "decay": "η"})

# %% [markdown] lang="en"
# ## When it fails
#
# Fine-tuning has a knob that the probe has not: the rate. And with few labels there is little to gain. We train with 50 images only, at three rates, and compare with the probe on the same 50.
# %% [markdown] lang="pl"
# ## Kiedy to zawodzi
#
# Dostrajanie ma pokrętło, którego sonda nie ma: współczynnik uczenia. A przy niewielu etykietach niewiele można zyskać. Trenujemy tylko na 50 obrazach, z trzema współczynnikami uczenia, i porównujemy z sondą na tych samych 50.

# %%
few = torch.randperm(800, generator=torch.Generator().manual_seed(1))[:50]


def tuned_on_few(lr):
    small = TransferLearningModel(len(CLASSES))
    small.unfreeze_layers(3)
    _, part = small.split()
    optimizer = torch.optim.AdamW(small.parameter_groups(lr, decay=1.25), weight_decay=0.01)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [group["lr"] for group in optimizer.param_groups], total_steps=12 * 2
    )
    fit(part, (train_maps[few], train_labels[few]), optimizer=optimizer, scheduler=scheduler, epochs=12, augment=random_view)
    return evaluate(part, (test_maps, test_labels))["accuracy"]


few_probe = evaluate(linear_probe(features[few], train_labels[few]), (test_features, test_labels))["accuracy"]
by_rate = {rate: tuned_on_few(rate) for rate in (8e-5, 8e-3, 8e-2)}
rows = [(t(f"fine-tuned, rate {rate}", f"dostrojona, współczynnik {rate}"), accuracy_) for rate, accuracy_ in by_rate.items()]
table([*rows, (t("linear probe"), few_probe)], [t("method"), t("test accuracy")], caption=t("50 labelled images", "50 obrazów z etykietami"))

# %% [markdown] lang="en"
# All three cases of the formula: with too small a rate the random head learns hardly anything; with too large a one the pretrained weights are thrown away, and the result is *worse than not fine-tuning
# at all*. The good rate gains some points on the probe, if you know it. But to find it you need validation images, and of 50 there are none to spare; the probe has no such knob and takes a tenth of a
# second. With few labels begin with the probe.
# %% [markdown] lang="pl"
# Wszystkie trzy przypadki z wzoru: przy zbyt małym współczynniku uczenia losowa głowica prawie niczego się nie uczy; przy zbyt dużym wagi wstępnie wytrenowane zostają wyrzucone i wynik jest *gorszy niż bez
# dostrajania*. Dobry współczynnik zyskuje kilka punktów w porównaniu z sondą, o ile go znasz. Ale żeby go znaleźć, potrzebujesz obrazów walidacyjnych, a z 50 nie ma czego odłożyć; sonda nie ma takiego pokrętła
# i liczy się w dziesiątej części sekundy. Gdy etykiet jest mało, zacznij od sondy.

# %% [markdown] lang="en"
# ## In robotics
#
# Julian et al. 2020 ([arXiv 2004.10190](https://arxiv.org/abs/2004.10190)) took a grasping policy that had learned from 580,000 grasps of real robot arms. Then something changed: the light, the background, the objects, the gripper. Fine-tuning adapted the policy
# with less than 0.2 % of the data that learning from scratch had needed. And a warning that you now understand: starting from *ImageNet* features instead of the grasping policy failed with so few data. What is close to the task transfers best.
# %% [markdown] lang="pl"
# ## W robotyce
#
# Julian i in. 2020 ([arXiv 2004.10190](https://arxiv.org/abs/2004.10190)) wzięli politykę chwytania, która nauczyła się na 580 000 chwytów prawdziwych ramion robotów. Potem coś się zmieniło: światło, tło, przedmioty, chwytak. Dostrajanie przystosowało politykę
# za pomocą mniej niż 0,2 % danych, których wymagała nauka od zera. I ostrzeżenie, które teraz jest zrozumiałe: start z cech z *ImageNetu* zamiast z polityki chwytania przy tak małych danych zawiódł. Najlepiej przenosi się to, co jest blisko zadania.

# %% [markdown] lang="en"
# ## Exercises
#
# **1. Discriminative rates.** Return the list of rates $\alpha_1, \dots, \alpha_L$ for `groups` groups, from the stem to the head, which gets `lr`.
# %% [markdown] lang="pl"
# ## Ćwiczenia
#
# **1. Zróżnicowane współczynniki uczenia.** Zwróć listę $\alpha_1, \dots, \alpha_L$ dla `groups` grup, od początku sieci do głowicy, która dostaje `lr`.

# %% tags=["exercise"]
def rates_of(lr, groups, decay):
    return ...


# %% [markdown] lang="en" tags=["hint"]
# The head is the last in the list and is divided by nothing, so its exponent is 0. Count down from there.
# %% [markdown] lang="pl" tags=["hint"]
# Głowica jest ostatnia na liście i przez nic się jej nie dzieli, więc jej wykładnik to 0. Odliczaj od niej w dół.

# %% tags=["check"]
check("rates_of", rates_of)


# %% tags=["solution"]
def rates_of(lr, groups, decay):
    return [lr / decay ** (groups - 1 - group) for group in range(groups)]


# %% [markdown] lang="en"
# **2. Freeze for good.** Freeze the given module so that neither a gradient step nor a batch can change what it computes. Return the module.
# %% [markdown] lang="pl"
# **2. Zamróź na dobre.** Zamroź podany moduł tak, żeby ani krok gradientu, ani żadna paczka nie mogły zmienić tego, co on liczy. Zwróć ten moduł.

# %% tags=["exercise"]
def frozen_for_good(module):
    return ...


# %% [markdown] lang="en" tags=["hint"]
# Two things: `requires_grad_(False)` for the gradient, and the mode in which batch normalisation uses its running averages instead of the batch.
# %% [markdown] lang="pl" tags=["hint"]
# Dwie rzeczy: `requires_grad_(False)` na gradient oraz tryb, w którym normalizacja wsadowa zamiast paczki używa średnich kroczących.

# %% tags=["check"]
check("frozen_for_good", frozen_for_good)


# %% tags=["solution"]
def frozen_for_good(module):
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
             t("In this network they have the fewest; move the slider above to 9 groups and see.",
               "W tej sieci mają ich najmniej; ustaw suwak powyżej na 9 grup i zobacz.")),
            (t("Edges and textures serve any task, so they are nearly right already.",
               "Krawędzie i tekstury służą każdemu zadaniu, więc są już prawie dobre."), True,
             t("Yes: general layers need little change, specific ones more.",
               "Tak: warstwy ogólne wymagają małych zmian, swoiste większych.")),
            (t("Their gradients cannot be computed.", "Nie da się policzyć ich gradientów."), False,
             t("They can; “all layers” in the figure did just that.", "Da się; „wszystkie warstwy” na wykresie to właśnie robią.")),
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
             t("Yes: it has no rate to tune and is hard to beat with so few labels.",
               "Tak: nie ma w niej współczynnika do dobierania, a przy tak małej liczbie etykiet trudno ją pokonać.")),
            (t("Fine-tuning all layers.", "Od dostrajania wszystkich warstw."), False,
             t("Millions of parameters, 25 labels, and a rate to choose without validation data.",
               "Miliony parametrów, 25 etykiet i współczynnik, którego nie ma na czym dobrać.")),
            (t("A small network from scratch.", "Od małej sieci od zera."), False,
             t("In the figure it needs hundreds of labels before it is of use.",
               "Na wykresie potrzebuje setek etykiet, zanim stanie się przydatna.")),
        ],
    ),
    Quiz(
        t("With $\\alpha h = 3$ along some direction, what happens to the distance from the minimum?",
          "Gdy wzdłuż pewnego kierunku $\\alpha h = 3$, co się dzieje z odległością od minimum?"),
        [
            (t("It shrinks three times faster.", "Maleje trzy razy szybciej."), False,
             t("The factor is $1 - \\alpha h = -2$, not a third.", "Czynnik to $1 - \\alpha h = -2$, a nie jedna trzecia.")),
            (t("It doubles at every step, and changes its sign.", "W każdym kroku się podwaja i zmienia znak."), True,
             t("Yes: $(1 - 3)^t = (-2)^t$.", "Tak: $(1 - 3)^t = (-2)^t$.")),
            (t("It stays as it is.", "Pozostaje bez zmian."), False,
             t("That is the case of $h \\approx 0$.", "Tak jest, gdy $h \\approx 0$.")),
        ],
    ),
)

# %% [markdown] lang="en"
# ## What we saw
#
# - Take, replace the head, choose what may change, train: fine-tuning beats the probe and, by far, training from scratch.
# - A small rate keeps what the new data say nothing about; too large a rate is worse than none.
# - A frozen part must be frozen for batches, too, or it drifts.
# - With few labels, or a task far from the source, fine-tuning gains little: begin with the probe.
#
# The numbers, of this run and of the recorded ones, have to agree:
# %% [markdown] lang="pl"
# ## Podsumowanie
#
# - Weź, wymień głowicę, wybierz, co może się zmieniać, trenuj: dostrajanie wygrywa z sondą, a z treningiem od zera o wiele.
# - Mały współczynnik uczenia zachowuje to, o czym nowe dane nic nie mówią; zbyt duży jest gorszy niż żaden.
# - Zamrożona część musi być zamrożona także na paczki, inaczej płynie.
# - Gdy etykiet jest mało albo zadanie jest odległe od źródłowego, dostrajanie daje niewiele: zacznij od sondy.
#
# Liczby, z tego uruchomienia i z zapisanych przebiegów, muszą się z tym zgadzać:

# %% tags=["claim"]
claim(t("Fine-tuned, this run", "Po dostrojeniu, to uruchomienie"), accuracy, at_least=0.90)
claim(t("Above the linear probe, this run", "Przewaga nad sondą liniową, to uruchomienie"), accuracy - probe_accuracy, at_least=0.08)
scratch = min(a - b for a, b in zip(at_800["last blocks"], at_800["from scratch"]))
claim(t("Above training from scratch, the worst recorded seed", "Przewaga nad treningiem od zera, najgorsze zapisane ziarno"), scratch, at_least=0.30)
small = [a[2] - b[2] for a, b in zip(runs["last blocks"]["accuracy"], runs["small network"]["accuracy"])]
claim(t("Above the small network at 100 images, the worst recorded seed", "Przewaga nad małą siecią przy 100 obrazach, najgorsze zapisane ziarno"),
      min(small), at_least=0.10)
claim(t("Drift of the carelessly frozen network", "Spadek niedbale zamrożonej sieci"), drift["careless"][0] - drift["careless"][-1], at_least=0.10)
claim(t("Drift of the frozen network", "Spadek sieci zamrożonej"), abs(drift["careful"][0] - drift["careful"][-1]), at_most=0)
claim(t("Too large a rate loses to the probe by", "Zbyt duży współczynnik przegrywa z sondą o"), few_probe - by_rate[8e-2], at_least=0.05)

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
