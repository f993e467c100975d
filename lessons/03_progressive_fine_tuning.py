# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   tlcourse:
#     title: {en: Progressive fine-tuning, pl: Dostrajanie etapami}
#     minutes: 50
#     seconds: 50
#     prerequisites: ["02_fine_tuning"]
# ---

# %% [markdown] lang="en"
# # Progressive fine-tuning
#
# Fine-tuning changes a network that already knows a great deal. Whether that knowledge survives depends on *what* may change, *when*, and *how fast*. In this lesson you watch every layer while it happens.
#
# **After this lesson you will be able to**
#
# - explain with one formula why a random head harms the layers below it,
# - unfreeze a network in stages, from the head down or from the input up, with a rate for each part and each stage,
# - measure how far each layer has moved, and how much of the old task has been forgotten,
# - keep a network near its start with a penalty (L2-SP),
# - fit the head first (LP-FT), and say when that pays off once the light and the camera change.
#
# **You need**: [lesson 02](02_fine_tuning.ipynb), the chain rule for matrices. **Time**: about 50 minutes; the code runs in just under
# a minute. New words are explained in the glossary of [lesson 00](00_start.ipynb).
# %% [markdown] lang="pl"
# # Dostrajanie etapami
#
# Dostrajanie zmienia sieć, która umie już bardzo dużo. Czy ta wiedza przetrwa, zależy od tego, *co* może się zmieniać, *kiedy* i *jak szybko*. W tej lekcji zobaczysz, co się wtedy dzieje z każdą warstwą.
#
# **Po tej lekcji będziesz umieć**
#
# - jednym wzorem wyjaśnić, dlaczego losowa głowica psuje warstwy, które są przed nią,
# - odmrażać sieć etapami, od głowicy wstecz albo od wejścia naprzód, z osobnym współczynnikiem uczenia dla każdej części i każdego etapu,
# - zmierzyć, jak daleko przesunęła się każda warstwa i ile sieć zapomniała z dawnego zadania,
# - utrzymać sieć blisko punktu startu za pomocą kary (L2-SP),
# - najpierw dopasować głowicę (LP-FT) i powiedzieć, kiedy się to opłaca, jeśli zmieni się światło albo kamera.
#
# **Co trzeba umieć**: [lekcja 02](02_fine_tuning.ipynb), reguła łańcuchowa dla macierzy. **Czas**: około 50 minut; kod wykonuje się
# niecałą minutę. Nowe słowa wyjaśnia słowniczek w [lekcji 00](00_start.ipynb).

# %% tags=["setup"]
from tlcourse.classroom import start_lesson, t

start_lesson("03_progressive_fine_tuning", lang="en")

# %% tags=["imports"]
import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.colors import LogNorm
from torch import nn

from tlcourse.classroom import (
    Prediction, Quiz, band, check, claim, explore, image_grid, mean_interval, mean_pm, palette, quiz, recorded, show, show_source, table,
)
from tlcourse.data.boards import CLASSES, OTHER_FACTORY, load_boards, make_boards
from tlcourse.data.photos import PHOTOS, photo_crops
from tlcourse.fine_tuning import TransferLearningModel, dihedral
from tlcourse.progressive_fine_tuning import (
    ProgressiveFineTuner, l2_sp, one_cycle, slanted_triangular, start_from_probe,
)
from tlcourse.training import evaluate, predict

SEED = 0

# %% [markdown] lang="en"
# ## The idea
#
# A new conductor takes over an old orchestra. On the first day she knows nothing of it, and what she asks for is half nonsense. If everybody obeyed at once, the players would lose their best habits before she had got to know them. So at first they let her find her way;
# then the section leaders follow her, and only at the end the whole orchestra.
#
# The random head of a network is such a conductor. **Progressive fine-tuning** lets it settle before the layers below it listen. There are four ways to be careful, and they can be combined:
#
# - **when**: unfreeze in stages, from the head down (*gradual unfreezing*),
# - **how fast**: lower rates for earlier layers and for later stages,
# - **how far**: a penalty for moving away from the start,
# - **from where**: begin with a head that is already right.
#
# ## The mathematics
#
# **What a random head does.** Take the smallest network that has features and a head: $f(x) = v^\top B x$, with features $Bx$ ($B$ is a matrix) and a head $v$. For training pairs $(x_i, y_i)$ the loss is
#
# $$J = \tfrac12 \sum_i \left(v^\top B x_i - y_i\right)^2, \qquad\text{so}\qquad \frac{\partial J}{\partial B} = v \sum_i \left(v^\top B x_i - y_i\right) x_i^\top ,$$
#
# since $v^\top B x_i$ has the derivative $v\, x_i^\top$ with respect to $B$. This is the step that matters; read it factor by factor (Kumar et al. 2022, [arXiv 2202.10054](https://arxiv.org/abs/2202.10054)):
#
# - **$v$**: a gradient step can move the features $Bx$ only in the direction of $v$, one way or the other. With a random head that is a random direction.
# - **$v^\top B x_i - y_i$**: the larger the errors, the longer the step. A head that already fits leaves little to correct.
# - **$x_i^\top$**: a direction $u$ that no training image contains, $x_i^\top u = 0$ for all $i$, gets no gradient at all: $\frac{\partial J}{\partial B}\, u = 0$. There the features stay as they were. Such directions always exist when there are fewer images than dimensions.
#
# The last point is the trap. Inside what the training images show, the features move; outside, they do not; and the head is fitted to the *moved* ones. On pictures of another kind, another light say, old features meet a new head. Kumar et al. call it **feature distortion**. The better the head at the start, the smaller it is.
#
# Do not take it on trust, compute it: ten inputs of 20 dimensions, six features that can explain the targets up to a little noise, once with a random head and once with the best head for these features. How large is the gradient *along* the inputs, in the space that they span, and *across* it, in the directions orthogonal to them all? (The rows of $V^\top$ in the singular value decomposition of the inputs are a basis: the first ten span the inputs, the other ten are orthogonal to them.)
# %% [markdown] lang="pl"
# ## Pomysł
#
# Nowa dyrygentka obejmuje starą orkiestrę. Pierwszego dnia nic o niej nie wie i połowa jej poleceń nie ma sensu. Gdyby wszyscy od razu słuchali, muzycy oduczyliby się tego, co robią dobrze, zanim ona ich zrozumie. Orkiestra daje jej więc najpierw czas;
# potem słuchają jej koncertmistrzowie, a dopiero na końcu wszyscy.
#
# Losowa głowica sieci jest taką dyrygentką. **Dostrajanie etapami** (ang. *progressive fine-tuning*) pozwala jej się odnaleźć, zanim warstwy przed nią zaczną słuchać. Ostrożność można zachować na cztery sposoby, które da się łączyć:
#
# - **kiedy**: odmrażaj etapami, od głowicy wstecz (*stopniowe odmrażanie*, ang. *gradual unfreezing*),
# - **jak szybko**: mniejsze współczynniki uczenia dla wcześniejszych warstw i dla późniejszych etapów,
# - **jak daleko**: kara za oddalanie się od startu,
# - **skąd**: zacznij od głowicy, która już jest dobra.
#
# ## Matematyka
#
# **Co robi losowa głowica.** Weź najmniejszą sieć, która ma cechy i głowicę: $f(x) = v^\top B x$, gdzie $Bx$ to cechy ($B$ jest macierzą), a $v$ to głowica. Dla par treningowych $(x_i, y_i)$ strata wynosi
#
# $$J = \tfrac12 \sum_i \left(v^\top B x_i - y_i\right)^2, \qquad\text{więc}\qquad \frac{\partial J}{\partial B} = v \sum_i \left(v^\top B x_i - y_i\right) x_i^\top ,$$
#
# bo $v^\top B x_i$ ma względem $B$ pochodną $v\, x_i^\top$. To najważniejszy krok; przeczytaj go czynnik po czynniku (Kumar i in. 2022, [arXiv 2202.10054](https://arxiv.org/abs/2202.10054)):
#
# - **$v$**: krok gradientu może przesunąć cechy $Bx$ tylko w kierunku $v$, w tę albo w przeciwną stronę. Przy losowej głowicy to kierunek losowy.
# - **$v^\top B x_i - y_i$**: krok jest tym dłuższy, im większe są błędy. Głowica, która już pasuje, niewiele zostawia do poprawienia.
# - **$x_i^\top$**: kierunek $u$, którego nie zawiera żaden obraz treningowy, czyli $x_i^\top u = 0$ dla wszystkich $i$, nie dostaje żadnego gradientu: $\frac{\partial J}{\partial B}\, u = 0$. Tam cechy zostają takie, jakie były. Takie kierunki są zawsze, gdy obrazów jest mniej niż wymiarów.
#
# Ostatni punkt to pułapka. W kierunkach, które obrazy treningowe zawierają, cechy się przesuwają, w pozostałych nie, a głowica dopasowuje się do tych *przesuniętych*. Na obrazach innego rodzaju, na przykład przy innym świetle, stare cechy trafiają na nową głowicę. Kumar i in. nazywają to **zniekształceniem cech** (ang. *feature distortion*). Jest ono tym mniejsze, im lepsza jest głowica na starcie.
#
# Nie wierz na słowo, policz: dziesięć wejść o 20 wymiarach, sześć cech, które z dokładnością do drobnego szumu wyjaśniają wartości docelowe, raz z losową głowicą, a raz z najlepszą głowicą dla tych cech. Jak duży jest gradient *wzdłuż* wejść, w przestrzeni, którą rozpinają, a jak duży *w poprzek*, w kierunkach prostopadłych do nich wszystkich? (Wiersze $V^\top$ z rozkładu macierzy wejść według wartości osobliwych tworzą bazę: pierwszych dziesięć rozpina wejścia, dziesięć pozostałych jest do nich prostopadłych.)

# %%
draw = torch.Generator().manual_seed(SEED)
sizes = [(10, 20), (6, 20), (6,), (6,), (10,)]
x, B, v, truth, noise = (torch.randn(size, generator=draw, dtype=torch.float64) / size[-1] ** 0.5 for size in sizes)
y = x @ B.T @ truth + 0.1 * noise
along, across = torch.linalg.svd(x).Vh.split(10)
fitted = torch.linalg.lstsq(x @ B.T, y).solution
strength = {}
for name, head in {t("random head", "losowa głowica"): v, t("fitted head", "dopasowana głowica"): fitted}.items():
    features = B.clone().requires_grad_()
    (0.5 * (x @ features.T @ head - y).square().sum()).backward()
    strength[name] = [(features.grad @ directions.T).norm().item() for directions in (along, across)]
rows = [(name, f"{inside:.3g}", f"{outside:.1g}") for name, (inside, outside) in strength.items()]
table(rows, [t("head"), t("gradient along the inputs", "gradient wzdłuż wejść"), t("gradient across them", "gradient w poprzek")])

# %% [markdown] lang="en"
# Across the inputs the gradient is zero up to rounding, whatever the head; along them it is many times weaker when the head fits, because good features leave it little to correct. So: **head first, then the rest.** The remaining questions are how fast, and how far.
#
# **How fast: part, stage, step.** Split the layer groups, in order, into $L$ parts (in lesson 02 $L$ was the number of groups). There are as many stages, $s = 0, \dots, L - 1$, and each trains one part more than the one before. Part $l$, where it is trained, gets in stage $s$ the rate
#
# $$\alpha_{s,l} = \frac{\alpha}{\eta^{\,L-l}\,(s+1)} .$$
#
# (The head belongs to part $L$ and is trained in every stage.) Dividing by a power of $\eta$ gives the discriminative rates of lesson 02. There each of ten groups had its own rate, and for $\eta$ we took 1.25; here there are three parts, as Howard and Ruder's network had three layers, and their $\eta = 2.6$ fits: $2.6^2 \approx 6.8$ between the first part and the last, about what $1.25^9 \approx 7.5$ was. They found 2.6 by trial; nothing derives it. The divisor $s + 1$ is the course's own: it makes later stages gentler, so that they do not undo what
# earlier ones have settled. Within a stage the rate follows a schedule: a **slanted triangle** (Howard and Ruder 2018, [arXiv 1801.06146](https://arxiv.org/abs/1801.06146)) of $T$ steps with a peak at step $c = T/10$,
#
# $$\alpha_t = \alpha\, \frac{1 + p\,(r - 1)}{r}, \qquad p = \begin{cases} t / c & t < c \\ 1 - (t - c)/(T - c) & t \ge c \end{cases}$$
#
# from $\alpha / r$ (with $r = 32$) quickly up to $\alpha$ (here the rate of the part and stage) and slowly back; or **one cycle**, the same with rounded slopes and a later peak. We go on with one cycle, as in lesson 02.
# %% [markdown] lang="pl"
# W poprzek wejść gradient jest zerem z dokładnością do zaokrągleń, bez względu na głowicę; wzdłuż wejść jest wielokrotnie słabszy, gdy głowica pasuje, bo dobre cechy zostawiają niewiele do poprawienia. Zatem: **najpierw głowica, potem reszta.** Pozostaje pytanie, jak szybko i jak daleko.
#
# **Jak szybko: część, etap, krok.** Podziel grupy warstw, po kolei, na $L$ części (w lekcji 02 $L$ było liczbą grup). Etapów jest tyle samo, $s = 0, \dots, L - 1$, a każdy trenuje o jedną część więcej niż poprzedni. Część $l$, o ile jest trenowana, dostaje w etapie $s$ współczynnik uczenia
#
# $$\alpha_{s,l} = \frac{\alpha}{\eta^{\,L-l}\,(s+1)} .$$
#
# (Głowica należy do części $L$ i jest trenowana w każdym etapie.) Dzielenie przez potęgę $\eta$ znasz z lekcji 02 jako zróżnicowane współczynniki uczenia (ang. *discriminative learning rates*). Tam każda z dziesięciu grup miała własny współczynnik, a za $\eta$ przyjęliśmy 1,25; tu części są trzy, tyle, ile warstw w sieci Howarda i Rudera, więc ich $\eta = 2{,}6$ pasuje: między pierwszą a ostatnią częścią daje to $2{,}6^2 \approx 6{,}8$, prawie tyle, co $1{,}25^9 \approx 7{,}5$. Wartość 2,6 znaleźli metodą prób; z niczego nie wynika. Dzielnik $s + 1$ to dodatek tego kursu: dzięki niemu późniejsze etapy są łagodniejsze i nie burzą tego, co
# ułożyły wcześniejsze. W obrębie etapu współczynnik zmienia się według harmonogramu: **skośnego trójkąta** (ang. *slanted triangle*; Howard i Ruder 2018, [arXiv 1801.06146](https://arxiv.org/abs/1801.06146)) o $T$ krokach i szczycie w kroku $c = T/10$,
#
# $$\alpha_t = \alpha\, \frac{1 + p\,(r - 1)}{r}, \qquad p = \begin{cases} t / c & t < c \\ 1 - (t - c)/(T - c) & t \ge c \end{cases}$$
#
# od $\alpha / r$ (przy $r = 32$) szybko w górę do $\alpha$ (tu: współczynnika danej części i etapu) i powoli z powrotem; albo **jednego cyklu** (ang. *one cycle*): to samo, tylko o zaokrąglonym kształcie i z późniejszym szczytem. Dalej używamy jednego cyklu, jak w lekcji 02.

# %%
def schedule_of(schedule, steps=100, lr=1.0):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr)
    scheduler, rates = schedule(optimizer, steps), []
    for _ in range(steps):
        rates.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return rates


fig, ax = plt.subplots(figsize=(7, 2.8))
for name, schedule in {t("slanted triangle", "skośny trójkąt"): slanted_triangular, t("one cycle", "jeden cykl"): one_cycle}.items():
    ax.plot(schedule_of(schedule), label=name)
ax.set(xlabel=t("step"), ylabel=t("share of the highest", "ułamek największego"))
ax.legend()
show(fig, alt=t("Two schedules of 100 steps: the slanted triangle peaks at step 10, one cycle at step 30, and both fall to almost nothing.",
                "Dwa harmonogramy po 100 kroków: skośny trójkąt ma szczyt w kroku 10, jeden cykl w kroku 30, oba spadają prawie do zera."))

# %% [markdown] lang="en"
# **How far: a penalty.** Weight decay pulls every weight towards zero, but a network with all weights at zero knows nothing. **L2-SP** (Li et al. 2018, [arXiv 1802.01483](https://arxiv.org/abs/1802.01483)) pulls the weights that are shared with the pretrained network, $w_S$, towards their **s**tarting **p**oint $w_S^0$, and only the new ones, the head's, to zero:
#
# $$\Omega(w) = \frac{\alpha}{2} \left\lVert w_S - w_S^0 \right\rVert^2 + \frac{\beta}{2} \left\lVert w_{\text{new}} \right\rVert^2 .$$
#
# (Here $\alpha$ and $\beta$ are strengths of the penalty, as in the paper, not rates.) What does it do? Look once more at the parabola of lesson 02, along one eigenvector of $H$, with eigenvalue $h$; $w$, the minimum $\theta^*$ and the start $\theta_0$ are now numbers, the coordinates along it. The sum $\frac{h}{2} (w - \theta^*)^2 + \frac{\alpha}{2} (w - \theta_0)^2$ has the derivative zero where
#
# $$w - \theta_0 = \frac{h}{h + \alpha} \left(\theta^* - \theta_0\right).$$
#
# In directions about which the images say much, $h \gg \alpha$, the weights go all the way to $\theta^*$. In those about which they say little, $h \ll \alpha$, they stay at the start. That is what few steps at a small rate did in lesson 02; now it holds however long you train.
#
# ## The code
#
# The penalty, and the trainer. `ProgressiveFineTuner` splits the layer groups into parts and trains one stage at a time. Read it in this order: which parts there are, which of them change in a stage, at which rates; then the training.
#
# Two places deserve a second look. Groups are frozen by `freeze`, which stops their statistics, too. And `freeze_batch_norm` freezes batch normalisation in the *trained* groups as well, its statistics and its scale and shift, so that a stage cannot replace ImageNet's statistics by those of a few small batches. We shall measure whether that is wise. Unless told otherwise the trainer takes three parts, $\alpha = 0.002$, $\eta = 2.6$ (`decay`), one cycle. To train with the penalty, add it to the loss:
#
# ```python
# def loss(logits, labels):
#     near = l2_sp(dict(model.layers.named_parameters()), tuner.start, alpha=0.1, beta=0.01)
#     return F.cross_entropy(logits, labels) + near
# ```
# %% [markdown] lang="pl"
# **Jak daleko: kara.** Zanik wag (ang. *weight decay*) ściąga każdą wagę do zera, ale sieć o samych zerowych wagach niczego nie umie. **L2-SP** (Li i in. 2018, [arXiv 1802.01483](https://arxiv.org/abs/1802.01483)) ściąga wagi wspólne z siecią wstępnie wytrenowaną, $w_S$ (ang. *shared*), do ich punktu startu $w_S^0$ (ang. *starting point*, stąd SP), a do zera tylko nowe, czyli wagi głowicy:
#
# $$\Omega(w) = \frac{\alpha}{2} \left\lVert w_S - w_S^0 \right\rVert^2 + \frac{\beta}{2} \left\lVert w_{\text{nowe}} \right\rVert^2 .$$
#
# (Tutaj $\alpha$ i $\beta$ to siły kary, jak w artykule, a nie współczynniki uczenia.) Co to daje? Spójrz jeszcze raz na paraboloidę z lekcji 02, wzdłuż jednego wektora własnego $H$, o wartości własnej $h$; $w$, minimum $\theta^*$ i start $\theta_0$ to teraz liczby, współrzędne wzdłuż niego. Suma $\frac{h}{2} (w - \theta^*)^2 + \frac{\alpha}{2} (w - \theta_0)^2$ ma pochodną równą zeru tam, gdzie
#
# $$w - \theta_0 = \frac{h}{h + \alpha} \left(\theta^* - \theta_0\right).$$
#
# W kierunkach, o których obrazy mówią dużo, $h \gg \alpha$, wagi dochodzą do samego $\theta^*$. W kierunkach, o których mówią niewiele, $h \ll \alpha$, zostają na starcie. To samo dawało w lekcji 02 kilka kroków z małym współczynnikiem; teraz jest tak bez względu na to, jak długo trenujesz.
#
# ## Kod
#
# Kara i trener. `ProgressiveFineTuner` dzieli grupy warstw na części i trenuje po jednym etapie. Czytaj w tej kolejności: jakie są części, które z nich zmieniają się w danym etapie i z jakimi współczynnikami; potem trening.
#
# Dwóm miejscom przyjrzyj się uważniej. Grupy zamraża funkcja `freeze`, która zatrzymuje także ich statystyki. Z kolei `freeze_batch_norm` zamraża normalizację wsadową (ang. *batch normalization*) również w grupach *trenowanych*, jej statystyki, skalę i przesunięcie, żeby etap nie zastąpił statystyk ImageNetu statystykami kilku małych paczek. Czy to rozsądne, zmierzymy. Jeśli nie podasz inaczej, części są trzy, $\alpha = 0{,}002$, $\eta = 2{,}6$ (`decay`), jeden cykl. Żeby trenować z karą, dodaj ją do straty:
#
# ```python
# def loss(logits, labels):
#     near = l2_sp(dict(model.layers.named_parameters()), tuner.start, alpha=0.1, beta=0.01)
#     return F.cross_entropy(logits, labels) + near
# ```

# %%
show_source(l2_sp, ProgressiveFineTuner.split_layers, ProgressiveFineTuner.trainable_layers, ProgressiveFineTuner.rates, ProgressiveFineTuner.train_stage)

# %% [markdown] lang="en"
# ## The experiment
#
# Fifty labelled boards, each in four rotations, and three stages. Which groups are trained in each?
# %% [markdown] lang="pl"
# ## Eksperyment
#
# Pięćdziesiąt płytek z etykietami, każda w czterech obrotach, i trzy etapy. Które grupy są trenowane w którym?

# %%
train_images, train_labels, test_images, test_labels = load_boards()
few = torch.randperm(800, generator=torch.Generator().manual_seed(SEED))[:50]
boards = dihedral(train_images[few], range(4)), train_labels[few]


def new_tuner(order):
    torch.manual_seed(SEED)
    return ProgressiveFineTuner(TransferLearningModel(len(CLASSES)), order=order)


head_first, input_first = new_tuner("head first"), new_tuner("input first")
rows = []
for stage in range(3):
    trained = [tuner.trainable_layers(stage)[:-1] for tuner in (head_first, input_first)]
    rows.append((stage, *(f"{names[0]} … {names[-1]} + head" for names in trained)))
table(rows, [t("stage", "etap"), t("head first", "od głowicy"), t("input first", "od wejścia")])

# %% [markdown] lang="en"
# The head itself is trained in every stage, in both orders: features cannot be judged by a head that stays random. First one live run of each order, four epochs a stage. After every epoch the tuner notes how far the weights of each layer group are from their start, $\lVert w - w^0 \rVert / \lVert w^0 \rVert$ (not the head's, whose start means nothing). In the figure each column is an epoch and each row a group, the input at the top; white has not moved, the colours are logarithmic, grey lines part the stages.
# %% [markdown] lang="pl"
# Głowica jest trenowana w każdym etapie, w obu kolejnościach: przy losowej głowicy nie widać, czy cechy są dobre. Najpierw po jednym przebiegu każdej kolejności na żywo, cztery epoki na etap. Po każdej epoce trener zapisuje, jak daleko od startu są wagi każdej grupy warstw, $\lVert w - w^0 \rVert / \lVert w^0 \rVert$ (bez głowicy, której start nic nie znaczy). Na rysunku kolumna to epoka, a wiersz to grupa, wejście jest na górze; białe pole oznacza grupę, która jeszcze się nie ruszyła, kolory są logarytmiczne, szare linie oddzielają etapy.

# %%
smooth = nn.CrossEntropyLoss(label_smoothing=0.1)
for tuner in (head_first, input_first):
    for stage in range(3):
        tuner.train_stage(stage, boards, epochs=4, batch_size=16, loss=smooth, seed=SEED)
live = [evaluate(tuner.model, (test_images, test_labels))["accuracy"] for tuner in (head_first, input_first)]
table([(t("head first", "od głowicy"), live[0]), (t("input first", "od wejścia"), live[1])], [t("order", "kolejność"), t("test accuracy")])


# %%
def draw_movement(ax, movement, title, staged=True):
    distances = np.ma.masked_equal(np.asarray(movement).T, 0)
    colours = plt.get_cmap("viridis").with_extremes(bad="white")
    image = ax.imshow(distances, cmap=colours, norm=LogNorm(1e-5, 1e-1), aspect="auto")
    ax.set(title=title, xticks=range(0, 12, 2), xticklabels=range(1, 13, 2), yticks=range(len(layers)), yticklabels=layers)
    ax.vlines([3.5, 7.5] if staged else [], -0.5, len(layers) - 0.5, color=palette("grey"), linewidth=1)
    ax.grid(False)
    return image


layers = list(head_first.movement[0])
fig, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True)
for ax, tuner, title in zip(axes, (head_first, input_first), (t("head first", "od głowicy"), t("input first", "od wejścia"))):
    image = draw_movement(ax, [list(epoch.values()) for epoch in tuner.movement], title)
    ax.set_xlabel(t("epoch"))
fig.colorbar(image, ax=axes, label=t("relative distance", "odległość względna"))
show(fig, alt=t("Two staircases: head first, the layers near the head move from the first epoch on and the first ones from the ninth; input first, the other way round.",
                "Dwa razy schody: od głowicy najpierw ruszają warstwy przy głowicy, a pierwsze dopiero w dziewiątej epoce; od wejścia na odwrót."))

# %% [markdown] lang="en"
# You see the stages as steps of a staircase. *Head first*, the layers near the head end up far ahead of the first ones. Much of that is our doing: they were trained for twelve epochs instead of four, and at rates 6.8 times as high in the last stage, and higher before. *Input first*, the distances are nearer to each other.
#
# ### Ten seeds, 50 and 200 boards
#
# One run proves nothing. The recorded runs compare six ways, with equally many steps. (The rates are those of the formula. So the ways without stages, which run the last stage only, have a third of $\alpha$ from beginning to end.)
#
# - **head first** and **input first**: four epochs a stage,
# - **all at once**: the last stage alone, twelve epochs,
# - the same with **batch norm trained**: statistics and all,
# - all at once with **L2-SP** ($\alpha = 0.1$, $\beta = 0.01$) in place of weight decay,
# - **LP-FT**: a linear probe becomes the head, then all at once.
# %% [markdown] lang="pl"
# Etapy widać jak stopnie schodów. W kolejności *od głowicy* warstwy przy głowicy odeszły na końcu o wiele dalej niż pierwsze. W dużej mierze to nasze dzieło: były trenowane przez dwanaście epok zamiast czterech, ze współczynnikami 6,8 razy większymi w ostatnim etapie, a wcześniej jeszcze większymi. W kolejności *od wejścia* odległości są sobie bliższe.
#
# ### Dziesięć ziaren losowości, 50 i 200 płytek
#
# Jeden przebieg niczego nie dowodzi. Zapisane przebiegi porównują sześć sposobów, z tą samą liczbą kroków. (Współczynniki wynikają ze wzoru. Sposoby bez etapów, czyli z samym ostatnim etapem, mają więc od początku do końca jedną trzecią $\alpha$.)
#
# - **od głowicy** i **od wejścia**: po cztery epoki na etap,
# - **wszystko naraz**: tylko ostatni etap, dwanaście epok,
# - to samo z **trenowaną normalizacją wsadową**, razem ze statystykami,
# - wszystko naraz z **L2-SP** ($\alpha = 0{,}1$, $\beta = 0{,}01$) zamiast zwykłego zaniku wag,
# - **LP-FT**: sonda liniowa zostaje głowicą, a potem wszystko naraz.

# %% tags=["predict"]
guess = Prediction(
    t("By how many points will *head first* be ahead of *input first* on 200 boards, on average? (Negative: behind.)",
      "O ile punktów procentowych kolejność *od głowicy* będzie przeciętnie lepsza od kolejności *od wejścia* przy 200 płytkach? (Liczba ujemna: gorsza.)"),
    low=-10, high=30, unit=t("points", "pkt proc."),
)
guess

# %%
record = recorded("progressive_fine_tuning")
runs = record.results["orders"]
ways = {
    "head first": t("head first", "od głowicy"), "input first": t("input first", "od wejścia"),
    "all at once": t("all at once", "wszystko naraz"), "batch norm trained": t("batch norm trained", "trenowana normalizacja"),
    "L2-SP": "L2-SP", "LP-FT": "LP-FT",
}


def paired(better, worse, n, name="accuracy"):
    return np.subtract(runs[f"{better}, {n}"][name], runs[f"{worse}, {n}"][name])


record.note()
rows = [(label, *(mean_pm(runs[f"{way}, {n}"]["accuracy"]) for n in (50, 200))) for way, label in ways.items()]
table(rows, [t("method"), t("50 boards", "50 płytek"), t("200 boards", "200 płytek")], caption=t("Test accuracy, mean and 95 % interval", "Dokładność testowa, średnia i przedział ufności 95 %"))
guess.compare(100 * paired("head first", "input first", 200).mean())

# %% [markdown] lang="en"
# Three things to read off, from the largest to the smallest:
#
# - **Batch normalisation decides.** Trained along with the rest it costs more than anything else in the table. Batches of sixteen or thirty-two boards, each showing much the same thing, give poor statistics, and these replace good ones.
# - **Input first is the worst** of the ways with frozen statistics. The early layers are moved first, when the head is still random, and the late ones, which have most to change, must wait.
# - **Head first does not beat all at once.** With a low rate that rises slowly, and with frozen statistics, a random head does little damage in the first steps, and gradual unfreezing has little left to prevent. (*All at once* also has the lower rate, so this is not a verdict on the order alone.) Head first is cheaper, though: while the first layers are frozen, what they make of the images is computed once.
#
# **What the paper found.** Howard and Ruder measured errors on film reviews: 6.9 % with plain fine-tuning, 6.4 % with gradual unfreezing alone, 5.0 % together with discriminative rates and a slanted triangle. They had 25,000 labelled texts, a backbone of LSTM layers, in which there is no batch normalisation, and a higher rate; there a careless start could do more harm.
#
# And where did the layers go? The averages over ten runs, on 200 boards. Compare *all at once* with *L2-SP*:
# %% [markdown] lang="pl"
# Widać tu trzy rzeczy, od największej do najmniejszej:
#
# - **Rozstrzyga normalizacja wsadowa.** Trenowana razem z resztą kosztuje więcej niż cokolwiek innego w tabeli. Paczki po szesnaście albo trzydzieści dwie płytki, pokazujące mniej więcej to samo, dają słabe statystyki, a te zastępują dobre.
# - **Kolejność od wejścia to najgorszy** ze sposobów z zamrożonymi statystykami. Wczesne warstwy przesuwają się jako pierwsze, gdy głowica jest jeszcze losowa, a późne, które mają najwięcej do zmiany, muszą czekać.
# - **Kolejność od głowicy nie wygrywa z opcją „wszystko naraz”.** Gdy współczynnik uczenia jest mały i powoli rośnie, a statystyki są zamrożone, losowa głowica niewiele psuje w pierwszych krokach i stopniowe odmrażanie prawie nie ma już czemu zapobiegać. (*Wszystko naraz* ma też mniejszy współczynnik, nie jest to więc wyrok na samą kolejność.) Kolejność od głowicy jest za to tańsza: dopóki pierwsze warstwy są zamrożone, ich wynik liczymy raz.
#
# **Co wyszło w artykule.** Howard i Ruder mierzyli stopę błędu na recenzjach filmów: 6,9 % przy zwykłym dostrajaniu, 6,4 % z samym stopniowym odmrażaniem, 5,0 % razem ze zróżnicowanymi współczynnikami i skośnym trójkątem. Mieli 25 000 tekstów z etykietami, sieć bazową (ang. *backbone*) z warstw LSTM, w której nie ma normalizacji wsadowej, i większy współczynnik uczenia; nieostrożny start mógł tam bardziej zaszkodzić.
#
# A dokąd poszły warstwy? Średnie z dziesięciu przebiegów przy 200 płytkach. Porównaj *wszystko naraz* z *L2-SP*:

# %%
fig, axes = plt.subplots(2, 2, figsize=(9, 5.6), sharex=True, sharey=True)
for ax, way in zip(axes.flat, ("head first", "input first", "all at once", "L2-SP")):
    image = draw_movement(ax, runs[f"{way}, 200"]["movement"], ways[way], staged=way.endswith("first"))
plt.setp(axes[1], xlabel=t("epoch"))
fig.colorbar(image, ax=axes, label=t("relative distance", "odległość względna"))
show(fig, alt=t("Distance of each layer group from its start by epoch, for four methods on 200 boards: two staircases, one even spread, and with L2-SP a darker one: shorter distances.",
                "Odległość każdej grupy warstw od startu w kolejnych epokach, cztery metody przy 200 płytkach: dwa razy schody, raz równy rozkład, a z L2-SP ciemniejszy, czyli mniejsze odległości."))

# %% [markdown] lang="en"
# The penalty halves the way of the last groups, and it hardly touches the first ones, which had not gone far anyway. The accuracy in the table differs by less than a point: half of that way was not needed for the boards. The formula said so: where the images say little, a weight stays at its start.
#
# ### What is forgotten
#
# The network came from ImageNet. Does it still know pictures of that kind? ImageNet itself is too large for this course, so we take crops of fourteen photographs that come with scikit-image: a cat, a rocket, gravel, the moon. They have no ImageNet labels, hence these two measures:
#
# - the **source head** put back on the changed features: how often does it still name the same one of the 1000 classes as before?
# - a **probe**, fitted anew to the changed features: how often does it tell from which photograph a crop was cut, when it learns on the left halves and is tested on the right ones (1 in 14 by chance)?
#
# The first asks whether the old *function* is still there, the second whether the *information* is. (Bars: means of the ten seeds; thin lines: 95 % intervals.)
# %% [markdown] lang="pl"
# Kara skraca drogę ostatnich grup o połowę, a pierwszych, które i tak nie odeszły daleko, prawie nie dotyka. Dokładność w tabeli różni się o mniej niż punkt procentowy: połowa tej drogi nie była płytkom potrzebna. To zapowiadał wzór: tam, gdzie obrazy mówią niewiele, waga zostaje na starcie.
#
# ### Co zostaje zapomniane
#
# Sieć pochodzi z ImageNetu. Czy radzi sobie jeszcze z takimi obrazami? Sam ImageNet jest na ten kurs za duży, bierzemy więc wycinki czternastu fotografii z pakietu scikit-image: to między innymi kot, rakieta, żwir i Księżyc. Nie mają etykiet ImageNetu, stąd takie dwie miary:
#
# - **dawna głowica** założona z powrotem na zmienione cechy: jak często wskazuje jeszcze tę samą z 1000 klas co przedtem?
# - **sonda**, dopasowana na nowo do zmienionych cech: jak często rozpoznaje, z której fotografii pochodzi wycinek, gdy uczy się na lewych połowach, a sprawdzamy ją na prawych (losowo 1 na 14)?
#
# Pierwsza pyta, czy przetrwała dawna *funkcja*, druga, czy przetrwała *informacja*. (Słupki: średnie z dziesięciu ziaren; cienkie linie: przedziały ufności 95 %.)

# %%
before = record.results["before"]
fig, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True)
for ax, measure, title in zip(axes, ("same ImageNet class", "probe"), (t("same class as before", "ta sama klasa co przedtem"), t("probe on the features", "sonda na cechach"))):
    for offset, (n, colour) in enumerate({50: "sky", 200: "blue"}.items()):
        mean, half = mean_interval(np.transpose([runs[f"{way}, {n}"][measure] for way in ways]))
        ax.barh(np.arange(len(ways)) + 0.4 * offset, mean, 0.38, xerr=half, color=palette(colour), label=t(f"{n} boards", f"{n} płytek"))
    ax.axvline(before[measure], color=palette("black"), linestyle=":", label=t("before", "przed"))
    ax.set(title=title, xlabel=t("share of the crops", "odsetek wycinków"), xlim=(0, 1.05), yticks=np.arange(len(ways)) + 0.2, yticklabels=list(ways.values()))
axes[0].invert_yaxis()
axes[1].legend(loc="center left", bbox_to_anchor=(1, 0.5))
show(fig, alt=t("Two bar charts of what is left of the source task after six ways of fine-tuning; least is left where batch normalisation was trained.",
                "Dwa wykresy słupkowe tego, co zostało z zadania źródłowego po sześciu sposobach dostrajania; najmniej zostaje tam, gdzie trenowano normalizację wsadową."))

# %% [markdown] lang="en"
# Look left first. After fine-tuning on so few boards the old head hardly recognises its own features: mostly it names another class. The **function** is largely gone, whichever way you take; LP-FT and L2-SP keep the most of it on 200 boards. Now look right: a new probe on the same features finds most of the **information** that was there before. The features have moved together; little was erased. The exception is trained batch normalisation, which loses a good part of the information, too.
#
# So “it forgot” can mean two things, and only one of them is hard to mend. Where the old task must go on, keep the old weights, or its data. Where you only want features that still serve many tasks, careful fine-tuning harms less than the left panel makes you think.
#
# ## Explore: stages, order, decay
#
# Choose the order, the number of stages and the factor $\eta$. Left: which groups are trained in which epoch, and how many parameters that makes. Right: the accuracy on a hundred test boards of three recorded runs with 50 boards, over the other settings in grey (bands of three runs are wide). The number of stages is also the number of parts: more of them mean lower rates, as in the last stage they are divided by the number of stages and in the first part by $\eta^{L-1}$, too, even all at once. One setting to try: head first in *two* stages. At once half of the network learns at the full rate from a random head, and the accuracy collapses. Which of the others is best, and does the band allow you to say so?
# %% [markdown] lang="pl"
# Najpierw spójrz w lewo. Po dostrajaniu na tak niewielu płytkach dawna głowica prawie nie poznaje swoich cech: przeważnie wskazuje inną klasę. **Funkcja** w większości przepada bez względu na sposób; przy 200 płytkach najwięcej z niej zachowują LP-FT i L2-SP. A teraz spójrz w prawo: nowa sonda na tych samych cechach znajduje większość **informacji**, która tam była. Cechy przesunęły się razem; niewiele zostało wymazane. Wyjątkiem jest trenowana normalizacja wsadowa, która traci także sporą część informacji.
#
# „Sieć zapomniała” może więc znaczyć dwie rzeczy i tylko jedną z nich trudno naprawić. Jeśli dawne zadanie ma działać dalej, zachowaj dawne wagi albo jego dane. Jeśli chcesz tylko cech, które wciąż służą wielu zadaniom, ostrożne dostrajanie szkodzi mniej, niż można sądzić po lewym wykresie.
#
# ## Zbadaj: etapy, kolejność, czynnik
#
# Wybierz kolejność, liczbę etapów i czynnik $\eta$. Po lewej: które grupy są trenowane w której epoce i ile to parametrów. Po prawej: dokładność na stu płytkach testowych z trzech zapisanych przebiegów przy 50 płytkach, na szarym tle pozostałych ustawień (pasma z trzech przebiegów są szerokie). Liczba etapów jest też liczbą części: im ich więcej, tym mniejsze współczynniki, bo w ostatnim etapie dzielimy je przez liczbę etapów, a w pierwszej części jeszcze przez $\eta^{L-1}$, także w sposobie *wszystko naraz*. Sprawdź zwłaszcza kolejność od głowicy w *dwóch* etapach: połowa sieci od razu uczy się z pełnym współczynnikiem od losowej głowicy i dokładność się załamuje. Które z pozostałych ustawień jest najlepsze i czy pasmo pozwala tak twierdzić?

# %%
orders = {ways[way]: way for way in ("head first", "input first", "all at once")}
sizes = {name: sum(p.numel() for p in group.parameters()) for name, group in head_first.model.layers.named_children()}


def trained_by_epoch(way, stages):
    tuner = ProgressiveFineTuner(head_first.model, stages, order="input first" if way == "input first" else "head first")
    stages_by_epoch = [stage for stage, part in enumerate(np.array_split(range(12), stages)) for _ in part]
    return [tuner.trainable_layers(stages - 1 if way == "all at once" else stage) for stage in stages_by_epoch]


# %% tags=["widget"]
def draw_setting(order, stages, decay):
    trained = trained_by_epoch(orders[order], stages)
    first, last = (sum(sizes[name] for name in names) / 1e6 for names in (trained[0], trained[-1]))
    span = f"{last:.1f}" if first == last else t(f"{first:.1f} to {last:.1f}", f"od {first:.1f} do {last:.1f}")
    every = record.results["grid"]["curves"]
    curves = np.array(every[f"{orders[order]}, {stages}, {decay}"])
    fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6))
    left.imshow([[name in names for names in trained] for name in sizes], cmap="Blues", vmin=0, vmax=1.4, aspect="auto")
    left.set(xlabel=t("epoch"), xticks=range(0, 12, 2), xticklabels=range(1, 13, 2), yticks=range(len(sizes)), yticklabels=sizes,
             title=t(f"trained: {span} million parameters", f"trenowane: {span} mln parametrów"))
    left.grid(False)
    right.plot(range(1, 13), np.mean(list(every.values()), axis=1).T, color=palette("grey"), linewidth=0.6)
    band(right, range(1, 13), curves, order)
    right.set(title=order, xlabel=t("epoch"), ylabel=t("test accuracy"), ylim=(0, 1), xticks=range(1, 13, 2))
    return fig, t(f"{span} million trained parameters; accuracy {curves[:, -1].mean():.2f} at the end.",
                  f"Trenowane parametry: {span} mln; dokładność na końcu {curves[:, -1].mean():.2f}.")


explorer = explore(draw_setting, order=list(orders), stages=[2, 3, 5], decay=[1.0, 2.6],
                   labels={"order": t("order", "kolejność"), "stages": t("stages", "etapy"), "decay": "η"})
explorer.controls["stages"].value, explorer.controls["decay"].value = 3, 2.6
explorer

# %% [markdown] lang="en"
# ## Head first, all the way: LP-FT
#
# Kumar et al. 2022 draw the conclusion from the formula at the beginning: **LP-FT**, first a **l**inear **p**robe, fitted to the end on frozen features, then **f**ine-**t**uning of everything from there. Our stages go half of the way, this goes all of it. On average over ten data sets with a shift, fine-tuning beat the probe by 2 points on images like those in training, but lost to it by 7 on shifted ones. LP-FT was best on both: 1 and 10 points above fine-tuning.
#
# Their condition: *good* pretrained features, and a large shift. Photographs are what our network is good at. So: from *one* crop of the left half of each photograph, the network has to learn from which one a crop was cut. We test on crops of the right halves, as they are (“day”) and made dark, yellowish and noisy (“evening”). Eight runs, each with other crops. To save time we fine-tune only the last part (stage 0), unlike the paper, and compute once what the groups before it make of the images; the 14 crops make one batch, so 24 epochs are 24 steps, at $\alpha = 0.001$.
# %% [markdown] lang="pl"
# ## LP-FT: najpierw głowica, i to do końca
#
# Kumar i in. 2022 wyciągają wniosek ze wzoru na początku lekcji: **LP-FT**, najpierw sonda liniowa (ang. ***l**inear **p**robe*), dopasowana do końca na zamrożonych cechach, potem dostrajanie (ang. ***f**ine-**t**uning*) wszystkiego od tego miejsca. Nasze etapy zatrzymują się w pół drogi, LP-FT idzie do końca. Średnio na dziesięciu zbiorach danych z przesunięciem wyszło im tak: na obrazach takich jak treningowe dostrajanie wyprzedza sondę o 2 punkty procentowe, ale na przesuniętych przegrywa z nią o 7. LP-FT jest najlepsze w obu przypadkach: wyprzedza dostrajanie o 1 i o 10 punktów.
#
# Stawiają warunek: *dobre* cechy po treningu wstępnym i duże przesunięcie. Nasza sieć dobrze zna fotografie, więc zadanie jest takie: mając po *jednym* wycinku z lewej połowy każdej fotografii, sieć ma się nauczyć rozpoznawać, z której fotografii pochodzi wycinek. Sprawdzamy ją na wycinkach prawych połówek, takich, jakie są („dzień”), oraz przyciemnionych, pożółkłych i zaszumionych („wieczór”). Osiem przebiegów, każdy z innymi wycinkami. Żeby zaoszczędzić czas, inaczej niż w artykule dostrajamy tylko ostatnią część (etap 0), a to, co robią grupy przed nią, liczymy raz; 14 wycinków to jedna paczka, więc 24 epoki to 24 kroki, przy $\alpha = 0{,}001$.

# %%
torch.manual_seed(SEED)
day, day_labels = photo_crops(10, half="right", seed=SEED)
light = torch.tensor([0.52, 0.43, 0.32]).view(3, 1, 1)
evening = (light * day + 8 * torch.randn(day.shape)).clamp(0, 255).to(torch.uint8)
show(image_grid(torch.cat([day[5::30], evening[5::30]]), rows=2, row_names=[t("day", "dzień"), t("evening", "wieczór")]),
     alt=t("Five crops by day and, below, the same ones in the evening: dark, yellowish and noisy.", "Pięć wycinków w dzień, a pod nimi te same wieczorem: ciemne, żółtawe i zaszumione."))

# %%
later = Prediction(
    t("Both methods start from the same features and see the same 14 crops. By how many points will LP-FT be ahead of fine-tuning in the evening? (Negative: behind.)",
      "Obie metody zaczynają od tych samych cech i widzą te same 14 wycinków. O ile punktów procentowych LP-FT będzie wieczorem lepsze od dostrajania? (Liczba ujemna: gorsze.)"),
    low=-10, high=20, unit=t("points", "pkt proc."),
)
later

# %%
frozen = TransferLearningModel(len(PHOTOS)).layers[:7]
tests = {"day": predict(frozen, day), "evening": predict(frozen, evening)}
lp_ft = {(way, light): [] for way in ("LP", "FT", "LP-FT") for light in tests}
for trial in range(8 * SEED, 8 * SEED + 8):
    crops, crop_labels = photo_crops(1, half="left", seed=trial)
    for way in ("LP", "FT", "LP-FT"):
        torch.manual_seed(trial)
        model = TransferLearningModel(len(PHOTOS))
        if "LP" in way:
            start_from_probe(model, crops, crop_labels)
        if "FT" in way:
            ProgressiveFineTuner(model, lr=1e-3).train_stage(0, (crops, crop_labels), epochs=24, batch_size=16, seed=trial, progress=False)
        for light, maps in tests.items():
            lp_ft[way, light].append(evaluate(model.layers[7:], (maps, day_labels))["accuracy"])
names = {"LP": t("linear probe"), "FT": t("fine-tuning"), "LP-FT": "LP-FT"}
rows = [(names[way], mean_pm(lp_ft[way, "day"]), mean_pm(lp_ft[way, "evening"])) for way in names]
table(rows, [t("method"), t("day", "dzień"), t("evening", "wieczór")], caption=t("Accuracy in eight runs, mean and 95 % interval", "Dokładność w ośmiu przebiegach, średnia i przedział ufności 95 %"))
lead = np.subtract(lp_ft["LP-FT", "evening"], lp_ft["FT", "evening"])
print(t("LP-FT minus fine-tuning, evening:", "LP-FT minus dostrajanie, wieczór:"), mean_pm(lead))
later.compare(100 * lead.mean())

# %% [markdown] lang="en"
# By day the two are close. In the evening LP-FT tends to be ahead of fine-tuning, which, unlike in the paper, is ahead of the probe. The lead of LP-FT is a few points (in the paper ten), from a single small task. Eight runs give a wide interval; in `data/recorded/claims_03.json` LP-FT is ahead in each of ten such sets of eight, by little in the worst.
#
# ### The boards under another light and camera
#
# Now the boards, where the features were *not* good: in lesson 01 the probe was right on about three boards out of four, with all 800 labels. **Another factory** has dimmer and warmer light, stronger glare, a worse camera, and boards of other colours. It has labelled nothing; we only test there. These ten runs on 50 and on 200 boards are recorded (accuracy, mean and 95 % interval), and all layers are fine-tuned.
# %% [markdown] lang="pl"
# W dzień obie metody są blisko siebie. Wieczorem LP-FT zwykle wyprzedza dostrajanie, a dostrajanie, inaczej niż w artykule, wyprzedza samą sondę. Przewaga LP-FT wynosi kilka punktów (w artykule dziesięć) i dotyczy jednego małego zadania. Osiem przebiegów daje szeroki przedział; w `data/recorded/claims_03.json` LP-FT wyprzedza dostrajanie w każdym z dziesięciu takich zestawów po osiem, w najgorszym o niewiele.
#
# ### Płytki przy innym świetle i innej kamerze
#
# Teraz płytki, na których cechy *nie* były dobre: w lekcji 01 sonda rozpoznawała mniej więcej trzy płytki na cztery, mając wszystkie 800 etykiet. W **innej fabryce** światło jest słabsze i cieplejsze, odblaski silniejsze, kamera gorsza, a płytki mają inne kolory. Nikt ich tam nie opisał etykietami; tylko na nich sprawdzamy. Te dziesięć przebiegów przy 50 i przy 200 płytkach jest zapisanych (dokładność, średnia i przedział ufności 95 %), a dostrajane są wszystkie warstwy.

# %%
places = {"accuracy": t("at home", "u siebie"), "elsewhere": t("elsewhere", "inna fabryka")}
both = torch.cat([test_images[:6], make_boards(6, seed=SEED, conditions=OTHER_FACTORY)[0]])
show(image_grid(both, rows=2, row_names=list(places.values())), alt=t(
    "Six boards of the course's own factory, six of the other: brown and grey, dim, blurred.", "Sześć płytek z własnej fabryki, sześć z innej: brązowe i szare, ciemne, rozmyte."))
rows = [(label, *(mean_pm(runs[f"{way}, {n}"][place]) for n in (50, 200) for place in places))
        for way, label in {"linear probe": t("linear probe"), "all at once": ways["all at once"], "LP-FT": "LP-FT"}.items()]
table(rows, [t("method"), *(f"{n}, {place}" for n in (50, 200) for place in places.values())])

# %% [markdown] lang="en"
# **The lead of LP-FT does not carry over to the boards.** The probe is the worst, at home and elsewhere, and starting from it gains next to nothing: on 200 boards plain fine-tuning is even ahead in the other factory. The condition is not met. When features say little about the task, the probe's errors stay large, so its head protects nothing; and here the change that fine-tuning makes is *needed*, in the other factory as much as at home. LP-FT protects good features. It cannot make bad ones good.
#
# ## When it fails
#
# LP-FT has a trap of its own. The probe is fitted to the features as they are in evaluation mode, with stored statistics. If training then normalises by the statistics of each batch (`freeze_batch_norm=False`), which for sixteen boards are far from ImageNet's, the features differ from the first step on, and the fitted head no longer fits. We try it with fifty boards, the last part only and a low rate; epoch 0 is the probe itself.
# %% [markdown] lang="pl"
# **Na płytkach przewaga LP-FT się nie potwierdza.** Sonda jest najgorsza i u siebie, i w innej fabryce, a zaczynanie od niej prawie nic nie daje: przy 200 płytkach zwykłe dostrajanie jest w innej fabryce nawet lepsze. Warunek nie jest spełniony. Gdy cechy niewiele mówią o zadaniu, błędy sondy pozostają duże i jej głowica niczego nie chroni; a zmiana, którą wprowadza dostrajanie, jest tu *potrzebna*, w innej fabryce tak samo jak u siebie. LP-FT chroni dobre cechy. Złych nie naprawi.
#
# ## Kiedy to zawodzi
#
# LP-FT ma własną pułapkę. Sonda jest dopasowana do cech z trybu ewaluacji, czyli liczonych z zapisanymi statystykami. Jeśli potem trening normalizuje statystykami każdej paczki (`freeze_batch_norm=False`), a szesnaście płytek daje zupełnie inne niż ImageNet, cechy są inne już od pierwszego kroku i dopasowana głowica przestaje pasować. Sprawdzamy na pięćdziesięciu płytkach, z samą ostatnią częścią i małym współczynnikiem uczenia; epoka 0 to sama sonda, przed treningiem.

# %%
some = test_images[:150], test_labels[:150]
trap = {}
for freeze, label in {True: t("batch norm frozen", "normalizacja zamrożona"), False: t("batch norm trained", "normalizacja trenowana")}.items():
    model = TransferLearningModel(len(CLASSES))
    start_from_probe(model, train_images[few], train_labels[few])
    start = evaluate(model, some)["accuracy"]
    tuner = ProgressiveFineTuner(model, lr=2e-4, freeze_batch_norm=freeze)
    history = tuner.train_stage(0, boards, some, epochs=6, batch_size=16, loss=smooth, seed=SEED, progress=False)
    trap[label] = [start, *history.validation_accuracy]

fig, ax = plt.subplots(figsize=(7, 3))
for (label, accuracies), colour in zip(trap.items(), ("blue", "red")):
    ax.plot(accuracies, marker="o", color=palette(colour), label=label)
ax.set(xlabel=t("epoch"), ylabel=t("test accuracy"), ylim=(0, 1))
ax.legend()
show(fig, alt=t("From the probe's accuracy the line with trained batch normalisation falls at once; with frozen batch normalisation it does not.",
                "Od dokładności sondy linia z trenowaną normalizacją wsadową od razu spada; z zamrożoną nie."))

# %% [markdown] lang="en"
# From a good start it only goes downhill: with trained batch normalisation the accuracy falls below that of the probe and stays there. It is the trap of lesson 02 once more, now in layers that *are* trained. The authors of LP-FT, too, kept their networks in evaluation mode while fine-tuning. If you fine-tune with small batches, freeze batch normalisation; and if a probe comes first, always.
# %% [markdown] lang="pl"
# Od dobrego startu droga prowadzi tylko w dół: z trenowaną normalizacją wsadową dokładność spada poniżej sondy i już tam zostaje. To jeszcze raz pułapka z lekcji 02, tym razem w warstwach, które *są* trenowane. Także autorzy LP-FT dostrajali swoje sieci w trybie ewaluacji. Gdy dostrajasz z małymi paczkami, zamrażaj normalizację wsadową, a gdy zaczynasz od sondy, to zawsze.

# %% [markdown] lang="en"
# ## In robotics
#
# Brohan et al. 2023 ([arXiv 2307.15818](https://arxiv.org/abs/2307.15818)) turned a vision-language model, trained on the web, into RT-2, a robot policy that writes arm movements as text. Fine-tuned on robot data alone it generalised less well to objects and surroundings that the robot data had not shown than when pictures and texts of the web were mixed in (*co-fine-tuning*). The concern is the same as in this lesson, not to lose the source while learning the target; the
# remedy is another: keep showing the source. (You will meet it again as *experience replay*, against catastrophic forgetting.) Where the source data are not available, as with most downloaded weights, the remedies of this lesson remain.
# %% [markdown] lang="pl"
# ## W robotyce
#
# Brohan i in. 2023 ([arXiv 2307.15818](https://arxiv.org/abs/2307.15818)) zrobili politykę (ang. *policy*) robota z modelu językowego, który widzi też obrazy (ang. *vision-language model*) i uczył się na zasobach internetu: to RT-2, które zapisuje ruchy ramienia jako tekst. Dostrojone na samych danych robota gorzej radziło sobie z przedmiotami i otoczeniem, których w tych danych nie było, niż wtedy, gdy domieszano do nich obrazy i teksty z internetu (ang. *co-fine-tuning*). Troska jest ta sama co w tej lekcji: nie stracić źródła, ucząc się celu. Lekarstwo jest
# inne: dalej pokazuj źródło. (Spotkasz je jeszcze jako *powtarzanie doświadczeń*, ang. *experience replay*, środek na katastrofalne zapominanie, ang. *catastrophic forgetting*.) Gdy danych źródłowych nie ma pod ręką, a tak jest z większością pobranych wag, zostają lekarstwa z tej lekcji.

# %% [markdown] lang="en"
# ## Exercises
#
# **1. How far?** Return the relative distance $\lVert w - w^0 \rVert / \lVert w^0 \rVert$ of a layer from its start. `weights` and `start` are lists of tensors of equal shapes (a kernel, a bias, …), each list one long vector, $w$ and $w^0$, cut into tensors. Return a tensor with one number.
# %% [markdown] lang="pl"
# ## Ćwiczenia
#
# **1. Jak daleko?** Zwróć odległość względną $\lVert w - w^0 \rVert / \lVert w^0 \rVert$ warstwy od startu. `weights` i `start` to listy tensorów o równych kształtach (filtr, wyraz wolny, …); każda z list to jeden długi wektor, $w$ i $w^0$, pocięty na tensory. Zwróć tensor z jedną liczbą.

# %% tags=["exercise"]
def distance(weights, start):
    return ...


# %% [markdown] lang="en" tags=["hint"]
# The square of the norm of a long vector is the sum of the squares of *all* its entries. Sum over the tensors first; take the root last, once above and once below.
# %% [markdown] lang="pl" tags=["hint"]
# Kwadrat normy długiego wektora to suma kwadratów *wszystkich* jego składowych. Najpierw zsumuj po tensorach; pierwiastek weź na końcu, raz w liczniku i raz w mianowniku.

# %% tags=["check"]
check("distance", distance)


# %% tags=["solution"]
def distance(weights, start):
    moved = sum((w - s).square().sum() for w, s in zip(weights, start, strict=True))
    return (moved / sum(s.square().sum() for s in start)).sqrt()


# %% [markdown] lang="en"
# **2. Who is trained?** `parts` is a list of lists of names, from the input to the head, as `split_layers` returns it. Return the names of the groups that *head first* trains in `stage` (0, 1, …), as one list from the input to the head.
# %% [markdown] lang="pl"
# **2. Kto jest trenowany?** `parts` to lista list nazw, od wejścia do głowicy, taka jak z `split_layers`. Zwróć nazwy grup, które kolejność *od głowicy* trenuje w etapie `stage` (0, 1, …), jako jedną listę od wejścia do głowicy.

# %% tags=["exercise"]
def trained_in(parts, stage):
    return ...


# %% [markdown] lang="en" tags=["hint"]
# Stage 0 trains the last part, stage 1 the last two. A negative index counts from the end; then join the lists.
# %% [markdown] lang="pl" tags=["hint"]
# Etap 0 trenuje ostatnią część, etap 1 dwie ostatnie. Indeks ujemny liczy od końca; potem połącz listy.

# %% tags=["check"]
check("trained_in", trained_in)


# %% tags=["solution"]
def trained_in(parts, stage):
    return [name for part in parts[-stage - 1 :] for name in part]


# %% [markdown] lang="en"
# ## Quiz
# %% [markdown] lang="pl"
# ## Quiz

# %% tags=["quiz"]
quiz(
    Quiz(
        t("A head starts at random. Why does that harm the layers below it?", "Głowica startuje z losowych wag. Dlaczego psuje to warstwy, które są przed nią?"),
        [
            (t("The head and the errors are factors of their gradient; at first the one is random and the others are large.",
               "W ich gradiencie głowica i błędy są czynnikami, a na początku głowica jest przypadkowa, a błędy są duże."), True,
             t("Yes: $v$ gives the direction, the errors the strength.", "Tak: $v$ wyznacza kierunek, błędy siłę.")),
            (t("A random head blocks the gradient.", "Losowa głowica blokuje gradient."), False,
             t("On the contrary, it lets a large one through, in a wrong direction.", "Przeciwnie, przepuszcza duży gradient, tylko w złym kierunku.")),
            (t("It does no harm; errors correct themselves.", "Nic nie psuje; błędy same się poprawią."), False,
             t("On the training images, yes. In directions that these do not contain the features stay, and no longer fit the head.",
               "Na obrazach treningowych tak. W kierunkach, których te obrazy nie zawierają, cechy zostają i nie pasują już do głowicy.")),
        ],
    ),
    Quiz(
        t("With L2-SP, which weights stay near their start?", "Które wagi przy L2-SP zostają blisko startu?"),
        [
            (t("All, equally.", "Wszystkie, jednakowo."), False,
             t("The factor is $h/(h + \\alpha)$, and $h$ differs between directions.", "Czynnik to $h/(h + \\alpha)$, a $h$ jest różne w różnych kierunkach.")),
            (t("Those along directions about which the images say little.", "Te wzdłuż kierunków, o których obrazy mówią niewiele."), True,
             t("Yes: there $h \\ll \\alpha$.", "Tak: tam $h \\ll \\alpha$.")),
            (t("Only the head.", "Tylko głowica."), False,
             t("The head has no start worth keeping; it is pulled to zero.", "Głowica nie ma startu wartego zachowania; jest ściągana do zera.")),
        ],
    ),
    Quiz(
        t("Suppose the source head, put back, often names another class than before, but a new probe on the same features is nearly as good. What was lost?",
          "Załóżmy, że dawna głowica, założona z powrotem, często wskazuje inną klasę niż przedtem, ale nowa sonda na tych samych cechach jest prawie tak samo dobra. Co zostało utracone?"),
        [
            (t("The information about the source task.", "Informacja o zadaniu źródłowym."), False,
             t("The new probe finds it.", "Nowa sonda ją znajduje.")),
            (t("Nothing at all.", "Zupełnie nic."), False,
             t("Whoever needs the old network as it was will miss something.", "Kto potrzebuje sieci takiej, jaka była, jednak coś stracił.")),
            (t("The agreement between features and old head; the information is still there.", "Zgodność cech z dawną głowicą; informacja wciąż tam jest."), True,
             t("Yes: moved features carry the same content in other coordinates.", "Tak: przesunięte cechy niosą tę samą treść w innych współrzędnych.")),
        ],
    ),
    Quiz(
        t("Before LP-FT you see that a probe is hardly better than chance on your data. What do you expect of the LP step?",
          "Zanim zaczniesz LP-FT, widzisz, że na twoich danych sonda jest niewiele lepsza od zgadywania. Co da krok LP?"),
        [
            (t("A great gain.", "Bardzo dużo."), False,
             t("A bad probe leaves large errors: the second factor of the gradient stays large.", "Zła sonda zostawia duże błędy: drugi czynnik gradientu pozostaje duży.")),
            (t("Little: the features must change anyway.", "Niewiele: cechy i tak muszą się zmienić."), True,
             t("Yes: the method protects features that are good.", "Tak: metoda chroni cechy, które są dobre.")),
            (t("A loss: a bad probe is worse than a random head.", "Stratę: zła sonda jest gorsza niż losowa głowica."), False,
             t("It is no worse a start than a random head, only hardly better.", "Nie jest gorszym startem niż losowa głowica, tylko niewiele lepszym.")),
        ],
    ),
)

# %% [markdown] lang="en"
# ## What we saw
#
# - The gradient that reaches the features is the head times the errors: a random head pushes them about, a fitted one leaves them alone where the features are good.
# - Stages, rates and order: with frozen statistics input first is worst; head first is cheaper, but no better here than all at once at a low rate. What decided was to freeze batch normalisation.
# - Each layer's way can be measured, and so can forgetting: the old function goes quickly, the information mostly stays.
# - L2-SP halves the way of the last layers at nearly the same accuracy.
# - LP-FT helps where the features are good; on the boards, where they are not, it does not help under another light and camera.
#
# The numbers of this run and of the recorded ones have to bear this out:
# %% [markdown] lang="pl"
# ## Podsumowanie
#
# - Gradient, który dociera do cech, to głowica razy błędy: losowa głowica rozpycha cechy, dopasowana zostawia je w spokoju, jeśli są dobre.
# - Etapy, współczynniki, kolejność: przy zamrożonych statystykach najgorsza jest kolejność od wejścia; kolejność od głowicy jest tańsza, ale nie lepsza niż wszystko naraz z małym współczynnikiem. Rozstrzygnęło zamrożenie normalizacji wsadowej.
# - Drogę każdej warstwy można zmierzyć, a zapominanie też: dawna funkcja przepada szybko, informacja przeważnie zostaje.
# - L2-SP skraca o połowę drogę ostatnich warstw przy prawie tej samej dokładności.
# - LP-FT pomaga, gdy cechy są dobre; na płytkach, gdzie nie są, nie pomaga przy innym świetle i innej kamerze.
#
# Liczby z tego uruchomienia i z zapisanych przebiegów muszą to potwierdzać:

# %% tags=["claim"]
(random_along, random_across), (fitted_along, fitted_across) = strength.values()
claim(t("Gradient across the inputs, with either head", "Gradient w poprzek wejść, z każdą z głowic"),
      max(random_across, fitted_across), at_most=1e-10)
claim(t("Along them, random over fitted head", "Wzdłuż wejść, głowica losowa wobec dopasowanej"), random_along / fitted_along, at_least=4, unit="×")
claim(t("Accuracy head first on 50 boards, this run", "Dokładność od głowicy na 50 płytkach, to uruchomienie"), live[0], at_least=0.30)
claim(t("Batch norm frozen above trained on 200 boards, the worst recorded seed", "Przewaga normalizacji zamrożonej nad trenowaną, 200 płytek, najgorsze zapisane ziarno"),
      paired("all at once", "batch norm trained", 200).min(), at_least=0.08)
by_order = [np.mean([paired(way, other, n) for n in (50, 200)]) for way, other in (("head first", "input first"), ("head first", "all at once"))]
claim(t("Head first above input first, recorded mean", "Przewaga „od głowicy” nad „od wejścia”, zapisana średnia"), by_order[0], at_least=0.01)
claim(t("Head first above all at once, recorded mean", "Przewaga „od głowicy” nad „wszystko naraz”, zapisana średnia"), by_order[1], at_most=0.01)
way = [np.array(runs[f"{name}, 200"]["moved"])[:, -2:].mean(1) for name in ("L2-SP", "all at once")]
claim(t("Way of the last two groups, L2-SP over all at once, the worst recorded seed", "Droga dwóch ostatnich grup, L2-SP wobec wszystko naraz, najgorsze zapisane ziarno"),
      (way[0] / way[1]).max(), at_most=0.65)
claim(t("Accuracy lost to L2-SP on 200 boards, recorded mean", "Dokładność stracona przez L2-SP, 200 płytek, zapisana średnia"),
      paired("all at once", "L2-SP", 200).mean(), at_most=0.02)

# %% tags=["claim"]
after = {name: np.mean(runs["all at once, 200"][name]) for name in ("same ImageNet class", "probe")}
claim(t("Crops that keep their ImageNet class, all at once, recorded mean", "Wycinki, które zachowują klasę ImageNetu, wszystko naraz, zapisana średnia"),
      after["same ImageNet class"], at_most=0.35)
claim(t("What a new probe loses meanwhile", "Ile traci przy tym nowa sonda"), before["probe"] - after["probe"], at_most=0.10)
claim(t("With trained batch norm it loses", "Z trenowaną normalizacją traci"), before["probe"] - np.mean(runs["batch norm trained, 200"]["probe"]), at_least=0.12)
claim(t("LP-FT above fine-tuning in the evening, this run", "Przewaga LP-FT nad dostrajaniem, wieczór, to uruchomienie"), lead.mean(), at_least=-0.01)
claim(t("LP-FT above the probe in the evening, this run", "Przewaga LP-FT nad sondą, wieczór, to uruchomienie"),
      np.mean(lp_ft["LP-FT", "evening"]) - np.mean(lp_ft["LP", "evening"]), at_least=0.03)
claim(t("LP-FT above all at once in the other factory, 200 boards, recorded mean", "Przewaga LP-FT nad „wszystko naraz” w innej fabryce, 200 płytek, zapisana średnia"),
      paired("LP-FT", "all at once", 200, "elsewhere").mean(), at_most=0.0)
kept, lost = trap.values()
claim(t("Lost after a probe with trained batch norm, this run", "Strata po sondzie z trenowaną normalizacją, to uruchomienie"), lost[0] - lost[-1], at_least=0.04)
claim(t("Frozen above trained at the end, this run", "Przewaga zamrożonej normalizacji nad trenowaną na końcu, to uruchomienie"), kept[-1] - lost[-1], at_least=0.08)

# %% [markdown] lang="en"
# ## Where to go next
#
# - Howard and Ruder 2018, *Universal Language Model Fine-tuning for Text Classification*, [arXiv 1801.06146](https://arxiv.org/abs/1801.06146)
# - Li, Grandvalet and Davoine 2018, *Explicit Inductive Bias for Transfer Learning with Convolutional Networks*, [arXiv 1802.01483](https://arxiv.org/abs/1802.01483)
# - Kumar et al. 2022, *Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution*, [arXiv 2202.10054](https://arxiv.org/abs/2202.10054)
# - Brohan et al. 2023, *RT-2: Vision-Language-Action Models Transfer Web Knowledge to Robotic Control*, [arXiv 2307.15818](https://arxiv.org/abs/2307.15818)
#
# [Lesson 04](04_what_transfers.ipynb) asks which layers carry what is general, and how to choose a source before training.
# %% [markdown] lang="pl"
# ## Co dalej
#
# - Howard i Ruder 2018, *Universal Language Model Fine-tuning for Text Classification*, [arXiv 1801.06146](https://arxiv.org/abs/1801.06146)
# - Li, Grandvalet i Davoine 2018, *Explicit Inductive Bias for Transfer Learning with Convolutional Networks*, [arXiv 1802.01483](https://arxiv.org/abs/1802.01483)
# - Kumar i in. 2022, *Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution*, [arXiv 2202.10054](https://arxiv.org/abs/2202.10054)
# - Brohan i in. 2023, *RT-2: Vision-Language-Action Models Transfer Web Knowledge to Robotic Control*, [arXiv 2307.15818](https://arxiv.org/abs/2307.15818)
#
# [Lekcja 04](04_what_transfers.ipynb) pyta, które warstwy niosą to, co ogólne, i jak wybrać źródło przed treningiem.
